import { answerUpTo, isLostAt, type RequestOutcome, startWaits, type WaitDeps } from '../../server/rules.ts'
import type { ScriptedPipe } from '../../server/scripted-pipe.ts'
import type { Injection, Plan } from '../script/plan.ts'
import type { Deed } from '../script/rule.ts'
import type { ConnectRequest } from '../wire/connect.ts'
import type { Frame } from '../wire/frame.ts'
import type { Request } from '../wire/request.ts'

/** What a client does, as rules and the log see it. */
export interface Said {
  readonly op: Deed
  readonly paths: readonly string[]
  readonly session: bigint
  readonly xid: number
  readonly bytes: number
  readonly said: Request | ConnectRequest | undefined
}

/** What an exchange needs from its connection. */
export interface ExchangeEnds extends WaitDeps {
  readonly pipe: ScriptedPipe<Frame>
  readonly planOf: (said: Said) => Plan
  /** A client has done something. */
  readonly note: (said: Said, fate: RequestOutcome) => void
  /** Lets no news of watches out until the returned function is called: what was asked for first is told first. */
  readonly holdNews: () => () => void
}

/** What a server says to a request. */
export interface Answer {
  /** Whether the connection ends behind it. */
  readonly isLast: boolean
  /** The frame, with a number that is so much off. */
  readonly encode: (misnumber: number) => Buffer
}

/** One thing that a client does, and how it is answered. */
export interface Exchange {
  readonly said: Said
  /** Does it; undefined when nobody will ever be told. */
  readonly handle: () => Promise<Answer | undefined>
  /** The answer that a rule gives. */
  readonly refuse: (code: number) => Answer
}

/** Answers one thing that a client does, with all that the script wants; false when the conversation is over. */
export async function exchange(ends: ExchangeEnds, one: Exchange): Promise<boolean> {
  const { pipe } = ends
  const plan = ends.planOf(one.said)
  const { ending } = plan
  const fate = fateOf(plan, one.said.bytes)
  const [before, late] = [startWaits(ends, plan.before), startWaits(ends, plan.beforeAnswer)]
  ends.note(one.said, fate)
  let isLast = false
  if (fate !== 'lost') {
    await before()
    const answer = plan.code === undefined ? await one.handle() : one.refuse(plan.code)
    const letNewsOut = ends.holdNews()
    await late()
    if (answer !== undefined && plan.ignored === undefined) say(pipe, answer, plan)
    letNewsOut()
    isLast = answer?.isLast ?? false
  }
  if (ending === undefined) return !isLast
  pipe.end(ending.act)
  return ending.act.do === 'silence'
}

function fateOf({ ending, code, ignored }: Plan, wireBytes: number): RequestOutcome {
  if (ignored === 'before') return 'lost'
  if (ending !== undefined && isLostAt(ending.at, wireBytes)) return 'lost'
  return code === undefined ? 'done' : 'scripted'
}

function say(
  pipe: ScriptedPipe<Frame>,
  answer: Answer,
  { misnumber, injected, ending, pieceBytes }: Plan,
): void {
  inject(pipe, injected, 'before')
  const bytes = answer.encode(misnumber)
  const said = ending === undefined ? bytes : answerUpTo(ending.at, bytes)
  const step = Math.min(pieceBytes, Math.max(said.length, 1))
  for (let at = 0; at < said.length; at += step) pipe.write(said.subarray(at, at + step))
  inject(pipe, injected, 'after')
}

function inject(pipe: ScriptedPipe<Frame>, injected: readonly Injection[], at: Injection['at']): void {
  for (const each of injected) if (each.at === at) pipe.write(each.bytes)
}
