import type { Isolation } from './resolved.ts'
import { misspelt, type Spelling } from './spelling.ts'

/** The isolation levels, weakest first. */
export const isolations: readonly Isolation[] = [
  'read-uncommitted',
  'read-committed',
  'repeatable-read',
  'serializable',
]

/** An isolation level in the words of SQL, such as `READ COMMITTED`. */
export function isolationInSql(isolation: Isolation): string {
  return isolation.replaceAll('-', ' ').toUpperCase()
}

/** Reads `READ-COMMITTED`, `READ_COMMITTED` and Java's `TRANSACTION_READ_COMMITTED`. */
export const javaIsolation: Spelling<Isolation> = (value, place) => {
  const word = String(value)
    .toLowerCase()
    .replace(/^transaction_/, '')
    .replaceAll('_', '-')
  const isolation = isolations.find((candidate) => candidate === word)
  if (isolation !== undefined) return isolation
  throw misspelt(
    place,
    `expected one of ${isolations.join(', ')}; TRANSACTION_READ_COMMITTED is fine as well`,
  )
}
