import type { Verdict } from '@ha/core'
import type { Call } from '../call-options.ts'
import type { Statement } from '../driver/statement.ts'
import { classifyCommit } from '../driver/verdicts.ts'
import type { Outcomes } from '../from-driver.ts'
import { commitsAtOnce } from './commits-at-once.ts'
import { isHarmless } from './harmless.ts'
import { classifyRead } from './reading.ts'

/** What a statement that commits by itself is to us: what it can do, and what an end without an answer means. */
export interface Nature {
  readonly harmless: boolean
  readonly repeatable: boolean
  readonly effect: Verdict['effect']
  readonly classify: (error: unknown) => Verdict
}

/** The nature of a statement in a call. */
export function natureOf({ sql }: Statement, call: Call): Nature {
  const harmless = isHarmless(sql)
  const repeatable = call.repeatable ?? harmless
  // What changes nothing has done nothing, however it ended; unless its caller says that twice would do harm.
  if (harmless && repeatable) return { harmless, repeatable, effect: 'none', classify: classifyHarmless }
  if (harmless) return { harmless, repeatable, effect: 'unknown', classify: classifyRead }
  const classify = commitsAtOnce(sql) ? classifyCommit : classifySeveral
  return { harmless, repeatable, effect: 'unknown', classify }
}

/** What a statement outside any transaction may have done when it failed with this error, by how far it came. */
export function outcomesOf(statement: Statement, error: unknown): Outcomes {
  if (isHarmless(statement.sql))
    return { unsent: 'not-done', answered: 'not-done', unread: 'done', lost: 'not-done' }
  // A batch is one command for each row where the bulk protocol does not do.
  const single = statement.kind !== 'batch' && commitsAtOnce(statement.sql)
  const { effect } = (single ? classifyCommit : classifySeveral)(error)
  return {
    unsent: 'not-done',
    answered: effect === 'none' ? 'not-done' : 'unknown',
    unread: 'done',
    lost: 'unknown',
  }
}

function classifyHarmless(error: unknown): Verdict {
  return { ...classifyRead(error), effect: 'none' }
}

// What it had committed before its error, nobody knows.
function classifySeveral(error: unknown): Verdict {
  const verdict = classifyCommit(error)
  return verdict.scope === 'call' ? { ...verdict, effect: 'unknown' } : verdict
}
