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
  readonly effectIfLost: () => Verdict['effect']
  readonly classify: (error: unknown) => Verdict
}

/** The nature of a statement in a call. */
export function natureOf({ sql }: Statement, { repeatable }: Call): Nature {
  // What changes nothing has done nothing, however it ended; unless its caller says that twice would do harm.
  if (isHarmless(sql)) return repeatable === false ? readOnce : read
  const several = !commitsAtOnce(sql)
  if (repeatable === true) return several ? repeatableBlock : repeatableWrite
  return several ? block : write
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

function nature(
  harmless: boolean,
  repeatable: boolean,
  effect: Verdict['effect'],
  classify: Nature['classify'],
): Nature {
  return Object.freeze({ harmless, repeatable, classify, effectIfLost: () => effect })
}

const read = nature(true, true, 'none', classifyHarmless)
const readOnce = nature(true, false, 'unknown', classifyRead)
const write = nature(false, false, 'unknown', classifyCommit)
const repeatableWrite = nature(false, true, 'unknown', classifyCommit)
const block = nature(false, false, 'unknown', classifySeveral)
const repeatableBlock = nature(false, true, 'unknown', classifySeveral)
