import { type Clock, HaError } from '@ha/core'

/** Whose bytes or messages a rule is about. */
export type Side = 'client' | 'server'

/** Which connections a rule is about: all of them when neither is given. */
export interface ConnectionFilter {
  /** The number of a node, from 1. */
  readonly node?: number
  /** The number of a connection, from 1, in the order in which the nodes together accepted them. */
  readonly connection?: number
}

/** The node and the number of a connection, for a rule's {@link ConnectionFilter}. */
export interface ConnectionOrigin {
  readonly node: number
  readonly connection: number
}

/** Whether a filter matches a connection. */
export function matchesConnection(filter: ConnectionFilter, origin: ConnectionOrigin): boolean {
  return (
    (filter.node === undefined || filter.node === origin.node) &&
    (filter.connection === undefined || filter.connection === origin.connection)
  )
}

/** A position in the bytes of a request or of its answer. */
export type BytePosition = { readonly requestByte: number } | { readonly answerByte: number }

/**
 * Where in a request a rule acts. `before` (default): the server never sees it. `unanswered`: it is executed and not
 * answered. `after`: after the whole answer. `requestByte`: so many bytes of the request arrive, and it is executed only
 * when these are all. `answerByte`: it is executed, and so many bytes of the answer are sent.
 */
export type RequestPosition = 'before' | 'unanswered' | 'after' | BytePosition

/** The outcome of a request: the server executed it, a rule answered it, or it was lost on the way. */
export type RequestOutcome = 'done' | 'scripted' | 'lost'

/** Whether the server never sees a request of so many bytes that is cut at this position. */
export function isLostAt(position: RequestPosition, requestBytes: number): boolean {
  if (typeof position === 'string') return position === 'before'
  return 'requestByte' in position && position.requestByte < requestBytes
}

/** The part of an answer that is sent before this position. */
export function answerUpTo(position: RequestPosition, answer: Buffer): Buffer {
  if (typeof position === 'string') return position === 'after' ? answer : answer.subarray(0, 0)
  return answer.subarray(0, 'answerByte' in position ? position.answerByte : 0)
}

/** Throws `config-invalid` at an impossible position. */
export function checkBytePosition(at: BytePosition): void {
  if ('requestByte' in at) checkWhole('at.requestByte', at.requestByte, 0)
  else checkWhole('at.answerByte', at.answerByte, 0)
}

/** How a server ends a connection: by an RST, by a FIN, or by a FIN of its half while it still executes requests. */
export type CutKind = 'reset' | 'end' | 'half'

/** How a rule ends a connection, with the cuts that its protocol supports. */
export type ConnectionEnding<How extends CutKind> =
  /** The server reads nothing and sends nothing any more, and the socket stays open. */
  | { readonly do: 'silence' }
  /** The connection ends. */
  | { readonly do: 'cut'; readonly how: How }

/** How a protocol's rules cut a connection that has no half-closed state: by an RST or by a FIN. */
export type CutHow = Exclude<CutKind, 'half'>

/** Bytes that the server sends although the protocol does not ask for them. */
export interface Injection {
  readonly do: 'inject'
  readonly bytes: Uint8Array
}

/** What a rule about bytes can do; each protocol's rules have some of these. */
export type PipeAct = ConnectionEnding<CutKind> | Injection

/** An exact text, or a regular expression. */
export type TextPattern = string | RegExp

/** Whether a text matches a pattern. */
export function matchesText(pattern: TextPattern, text: string): boolean {
  return typeof pattern === 'string' ? pattern === text : pattern.test(text)
}

/** Throws `config-invalid` at a pattern with state, which would match only every other time. */
export function checkTextPattern(path: string, pattern: TextPattern | undefined): void {
  if (pattern instanceof RegExp && (pattern.global || pattern.sticky))
    throw invalidRule(path, 'without the flags g and y')
}

/** A wait of so many milliseconds, or until the test calls `release(until)`. */
export type Wait =
  | { readonly do: 'delay'; readonly delayMs: number }
  | { readonly do: 'hold'; readonly until: string }

/**
 * A rule's wait: before the server handles the request, or before it sends the answer. Everything on the same
 * connection waits behind it.
 */
export type WaitAct = Wait & { readonly at?: 'before' | 'answer' }

/** The waits of a plan. */
export interface PlannedWaits {
  /** Before the server handles the request. */
  readonly before: readonly WaitAct[]
  /** Before the answer is sent. */
  readonly beforeAnswer: readonly WaitAct[]
}

/** What waits need from a node. */
export interface WaitDeps {
  readonly clock: Clock
  /** Resolves at the next release of that name. */
  readonly released: (name: string) => Promise<void>
  /** Resolves when the process runs: at once, or when it continues. */
  readonly awake: () => Promise<void>
}

/** Adds a wait behind the others. */
export function withWait({ before, beforeAnswer }: PlannedWaits, act: WaitAct): PlannedWaits {
  return act.at === 'answer'
    ? { before, beforeAnswer: [...beforeAnswer, act] }
    : { before: [...before, act], beforeAnswer }
}

/** Returns what waits for these in order, and then for the process to run. Releases count from this call on. */
export function startWaits(deps: WaitDeps, waits: readonly WaitAct[]): () => Promise<void> {
  const { clock, released, awake } = deps
  // A test that has seen the request in the log may release it before its wait begins.
  const starts = waits.map((wait): (() => Promise<void>) => {
    if (wait.do === 'delay') return () => clock.sleep(wait.delayMs)
    const release = released(wait.until)
    return () => release
  })
  return async () => {
    for (const start of starts) await start()
    await awake()
  }
}

/** The error for a rule that could never match. */
export function invalidRule(path: string, expected: string): HaError {
  return new HaError('config-invalid', `rule: ${path} must be ${expected}`)
}

/** Throws `config-invalid` unless a number in a rule is whole and at least `from`. */
export function checkWhole(path: string, value: number, from: number): void {
  if (!Number.isInteger(value) || value < from)
    throw invalidRule(path, `a whole number from ${from}, not ${value}`)
}
