import { fromFirstWord } from './first-word.ts'
import { remembered } from './remembered.ts'

// What a statement begins with when it may leave something in the session that a rollback does not take away.
const leaves =
  /^(?:SET|USE|LOCK|UNLOCK|PREPARE|EXECUTE|DEALLOCATE|HANDLER|FLUSH|BACKUP|CALL|XA|BEGIN\s+NOT|(?:CREATE(?:\s+OR\s+REPLACE)?|DROP)\s+TEMPORARY)\b/i

// What may leave something wherever it stands: a user variable, a named lock, a comment that is executed.
const hides = /:=|\bINTO\s+@|\b(?:GET|RELEASE)_(?:ALL_)?LOCKS?\b|\/\*M?!/i

const ownVariables = /^SET\s+STATEMENT\b/i

/**
 * Whether a statement may leave something in its session for the next borrower: variables, a schema, locks, temporary
 * tables, prepared statements. Errs on the side of yes. What a stored function does behind a SELECT is not seen.
 */
export const stains: (sql: string) => boolean = remembered((sql) => {
  const text = fromFirstWord(sql)
  if (leaves.test(text) && !ownVariables.test(text)) return true
  return hides.test(text)
})
