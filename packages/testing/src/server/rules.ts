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

/** Where a connection stands, for a rule's {@link ConnectionFilter}. */
export interface ConnectionOrigin {
  readonly node: number
  readonly connection: number
}

/** Whether a rule for this place is about a connection that stands there. */
export function matchesConnection(place: ConnectionFilter, where: ConnectionOrigin): boolean {
  return (
    (place.node === undefined || place.node === where.node) &&
    (place.connection === undefined || place.connection === where.connection)
  )
}

/** A place in the bytes of a request or of its answer. */
export type BytePosition = { readonly requestByte: number } | { readonly answerByte: number }

/**
 * Where in a request it happens. `before` (default): the server never sees it. `unanswered`: it is done and nobody is
 * told. `after`: behind the whole answer. `requestByte`: so many bytes of the request arrive, and it is done only when
 * these are all. `answerByte`: it is done, and so many bytes of the answer leave.
 */
export type RequestPosition = 'before' | 'unanswered' | 'after' | BytePosition

/** What became of something that a client did: the server did it, a rule answered it, or it was lost on the way. */
export type RequestOutcome = 'done' | 'scripted' | 'lost'

/** Whether a request of so many bytes does not get past this edge: the server never sees it. */
export function isLostAt(edge: RequestPosition, requestBytes: number): boolean {
  if (typeof edge === 'string') return edge === 'before'
  return 'requestByte' in edge && edge.requestByte < requestBytes
}

/** How much of an answer gets past this edge. */
export function answerUpTo(edge: RequestPosition, answer: Buffer): Buffer {
  if (typeof edge === 'string') return edge === 'after' ? answer : answer.subarray(0, 0)
  return answer.subarray(0, 'answerByte' in edge ? edge.answerByte : 0)
}

/** Throws `config-invalid` at a place that no bytes have. */
export function checkBytePosition(at: BytePosition): void {
  if ('requestByte' in at) checkWhole('at.requestByte', at.requestByte, 0)
  else checkWhole('at.answerByte', at.answerByte, 0)
}

/** How a server cuts a connection: by an RST, by a FIN, or by a FIN of its half while it still does what it is told. */
export type CutKind = 'reset' | 'end' | 'half'

/** The end of what a connection says, in the ways that a protocol's rules have. */
export type ConnectionEnding<How extends CutKind> =
  /** From here on the server reads nothing and says nothing, and the socket stays open. */
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
export type ByteAct = ConnectionEnding<CutKind> | Injection

/** A text as it is, or a pattern of texts. */
export type TextPattern = string | RegExp

/** Whether a text is what a rule or a test looks for. */
export function matchesText(pattern: TextPattern, text: string): boolean {
  return typeof pattern === 'string' ? pattern === text : pattern.test(text)
}

/** Throws `config-invalid` at a pattern that remembers where it was: it would match only every other time. */
export function checkTextPattern(path: string, pattern: TextPattern | undefined): void {
  if (pattern instanceof RegExp && (pattern.global || pattern.sticky))
    throw invalidRule(path, 'without the flags g and y')
}

/** A wait of so many milliseconds, or until the test calls `release(until)`. */
export type Wait =
  | { readonly do: 'delay'; readonly delayMs: number }
  | { readonly do: 'hold'; readonly until: string }

/**
 * A rule's wait: before the server looks at the request, or before it sends the answer. Everything on the same
 * connection waits behind it.
 */
export type WaitAct = Wait & { readonly at?: 'before' | 'answer' }

/** What a plan waits for. */
export interface PlannedWaits {
  /** Before the server looks at the request. */
  readonly before: readonly WaitAct[]
  /** Before the answer is sent. */
  readonly beforeAnswer: readonly WaitAct[]
}

/** What waiting needs from a node. */
export interface WaitDeps {
  readonly clock: Clock
  /** Resolves at the next release of that name. */
  readonly released: (name: string) => Promise<void>
  /** Resolves when the process runs: at once, or when it goes on. */
  readonly awake: () => Promise<void>
}

/** The waits with one more behind the others. */
export function withWait({ before, beforeAnswer: late }: PlannedWaits, act: WaitAct): PlannedWaits {
  return act.at === 'answer'
    ? { before, beforeAnswer: [...late, act] }
    : { before: [...before, act], beforeAnswer: late }
}

/** What waits for these, one after the other, and for the process to run. Releases count from the call on. */
export function startWaits(deps: WaitDeps, waits: readonly WaitAct[]): () => Promise<void> {
  const { clock, released, awake } = deps
  // Whoever has seen the request in the log may release it, even if its turn to wait comes later.
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

/** Why a rule could never match: what is expected where in it. */
export function invalidRule(path: string, expected: string): HaError {
  return new HaError('config-invalid', `rule: ${path} must be ${expected}`)
}

/** Throws `config-invalid` unless a number of a rule is whole and not below `from`. */
export function checkWhole(path: string, value: number, from: number): void {
  if (!Number.isInteger(value) || value < from)
    throw invalidRule(path, `a whole number from ${from}, not ${value}`)
}
