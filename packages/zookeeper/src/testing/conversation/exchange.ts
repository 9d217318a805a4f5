import type { Clock } from '@ha/core'
import type { Injection, Plan, Wait } from '../script/plan.ts'
import type { Deed, Edge } from '../script/rule.ts'
import type { ConnectRequest } from '../wire/connect.ts'
import type { Request } from '../wire/request.ts'
import type { Pipe } from './pipe.ts'

/** What a client does, as rules and the log see it. */
export interface Said {
  readonly op: Deed
  readonly paths: readonly string[]
  readonly session: bigint
  readonly xid: number
  readonly bytes: number
  readonly said: Request | ConnectRequest | undefined
}

/** What became of something that a client did: the server did it, a rule answered it, or it was lost on the way. */
export type Fate = 'done' | 'scripted' | 'lost'

/** What an exchange needs from its connection. */
export interface ExchangeEnds {
  readonly clock: Clock
  readonly pipe: Pipe
  readonly planOf: (said: Said) => Plan
  readonly released: (name: string) => Promise<void>
  /** Resolves when the process runs: at once, or when it goes on. */
  readonly awake: () => Promise<void>
  /** A client has done something. */
  readonly note: (said: Said, fate: Fate) => void
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
  const [before, late] = [waitingFor(ends, plan.before), waitingFor(ends, plan.late)]
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

function fateOf({ ending, code, ignored }: Plan, wireBytes: number): Fate {
  if (ignored === 'before') return 'lost'
  if (ending !== undefined && isBeforeAll(ending.at, wireBytes)) return 'lost'
  return code === undefined ? 'done' : 'scripted'
}

function isBeforeAll(at: Edge, wireBytes: number): boolean {
  if (typeof at === 'string') return at === 'before'
  return 'requestByte' in at && at.requestByte < wireBytes
}

function say(pipe: Pipe, answer: Answer, { misnumber, injected, ending, pieceBytes }: Plan): void {
  inject(pipe, injected, 'before')
  const bytes = answer.encode(misnumber)
  const said = ending === undefined ? bytes : bytes.subarray(0, bytesSaid(ending.at, bytes.length))
  const step = Math.min(pieceBytes, Math.max(said.length, 1))
  for (let at = 0; at < said.length; at += step) pipe.write(said.subarray(at, at + step))
  inject(pipe, injected, 'after')
}

function inject(pipe: Pipe, injected: readonly Injection[], at: Injection['at']): void {
  for (const each of injected) if (each.at === at) pipe.write(each.bytes)
}

function bytesSaid(at: Edge, all: number): number {
  if (typeof at === 'string') return at === 'after' ? all : 0
  return 'answerByte' in at ? at.answerByte : 0
}

// Whoever has seen the request in the log may release it, even if its turn to wait comes later.
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
