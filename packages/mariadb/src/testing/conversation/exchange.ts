import type { Clock } from '@ha/core'
import type { Moment, Plan, Wait } from '../script/plan.ts'
import type { Edge } from '../script/rule.ts'
import type { Answer } from '../wire/answer.ts'
import { encodePackets } from '../wire/packet.ts'
import type { Pipe } from './pipe.ts'

/** What a client does, as rules see it. */
export type Said = Pick<Moment, 'command' | 'sql'>

/** What became of something that a client did: the server did it, a rule answered it, or it was lost on the way. */
export type Fate = 'done' | 'scripted' | 'lost'

/** What an exchange needs from its node. */
export interface ExchangeEnds {
  readonly clock: Clock
  readonly pipe: Pipe
  readonly planOf: (said: Said) => Plan
  readonly released: (name: string) => Promise<void>
  /** Resolves when the process runs: at once, or when it goes on. */
  readonly awake: () => Promise<void>
  /** A client has done something. */
  readonly note: (said: Said, fate: Fate) => void
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
  const [before, late] = [waitingFor(ends, plan.before), waitingFor(ends, plan.late)]
  ends.note(one.said, fate)
  if (fate !== 'lost') {
    await before()
    const payloads = plan.instead === undefined ? await one.handle() : one.encode(plan.instead)
    await late()
    const bytes = encodePackets(payloads, one.sequence)
    pipe.write(ending === undefined ? bytes : bytes.subarray(0, bytesSaid(ending.at, bytes.length)))
  }
  if (ending === undefined) return true
  pipe.end(ending.act)
  return pipe.isListening || ending.act.do === 'silence'
}

function fateOf({ ending, instead }: Plan, wireBytes: number): Fate {
  if (ending !== undefined && isBeforeAll(ending.at, wireBytes)) return 'lost'
  return instead === undefined ? 'done' : 'scripted'
}

function isBeforeAll(at: Edge, wireBytes: number): boolean {
  if (typeof at === 'string') return at === 'before'
  return 'requestByte' in at && at.requestByte < wireBytes
}

function bytesSaid(at: Edge, all: number): number {
  if (typeof at === 'string') return at === 'after' ? all : 0
  return 'answerByte' in at ? at.answerByte : 0
}

// Whoever has seen the command in the log may release it, even if its turn to wait comes later.
function waitingFor(ends: ExchangeEnds, waits: readonly Wait[]): () => Promise<void> {
  const { clock, released, awake } = ends
  const starts = waits.map((wait): (() => Promise<void>) => {
    if (wait.kind === 'delay') return () => clock.sleep(wait.delayMs)
    const release = released(wait.until)
    return () => release
  })
  return async () => {
    for (const start of starts) await start()
    await awake()
  }
}
