import { type OkAnswer, okAnswer } from '../wire/answer.ts'
import type { Row } from '../wire/value.ts'
import type { Session } from './session.ts'

/** One statement on its way: whose it is, its parameters, and what ends it early. */
export interface Run {
  readonly session: Session
  readonly parameters: Row
  readonly signal: AbortSignal
}

/** The answer to a statement that returns no rows, with what the session has to tell. */
export function done({ session }: Run, result: Partial<OkAnswer> = {}): OkAnswer {
  return { ...okAnswer, ...result, tracked: session.takeTracked() }
}
