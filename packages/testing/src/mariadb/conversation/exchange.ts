import { answerUpTo, isLostAt, type RequestOutcome, startWaits, type WaitDeps } from '../../server/rules.ts'
import type { ScriptedPipe } from '../../server/scripted-pipe.ts'
import type { Moment, Plan } from '../script/plan.ts'
import type { Answer } from '../wire/answer.ts'
import { encodePackets, type Packet } from '../wire/packet.ts'

/** What a client does, as rules see it. */
export type Said = Pick<Moment, 'command' | 'sql'>

/** What an exchange needs from its node. */
export interface ExchangeEnds extends WaitDeps {
  readonly pipe: ScriptedPipe<Packet>
  readonly planOf: (said: Said) => Plan
  /** A client has done something. */
  readonly note: (said: Said, fate: RequestOutcome) => void
}

/** One thing that a client does, and how it is answered. */
export interface Exchange {
  readonly said: Said
  /** How many bytes it took. */
  readonly wireBytes: number
  /** The number of the first packet of the answer. */
  readonly sequence: number
  /** Does it; the payloads of the answer. */
  readonly handle: () => Promise<readonly Buffer[]>
  /** The payloads of an answer that a rule gives. */
  readonly encode: (answer: Answer) => readonly Buffer[]
}

/** Answers one thing that a client does, with all that the script wants; false when the conversation is over. */
export async function exchange(ends: ExchangeEnds, one: Exchange): Promise<boolean> {
  const { pipe } = ends
  const plan = ends.planOf(one.said)
  const { ending } = plan
  const fate = fateOf(plan, one.wireBytes)
  const [before, late] = [startWaits(ends, plan.before), startWaits(ends, plan.beforeAnswer)]
  ends.note(one.said, fate)
  if (fate !== 'lost') {
    await before()
    const payloads = plan.instead === undefined ? await one.handle() : one.encode(plan.instead)
    await late()
    const bytes = encodePackets(payloads, one.sequence)
    pipe.write(ending === undefined ? bytes : answerUpTo(ending.at, bytes))
  }
  if (ending === undefined) return true
  pipe.end(ending.act)
  return pipe.isListening || ending.act.do === 'silence'
}

function fateOf({ ending, instead }: Plan, wireBytes: number): RequestOutcome {
  if (ending !== undefined && isLostAt(ending.at, wireBytes)) return 'lost'
  return instead === undefined ? 'done' : 'scripted'
}
