import { timerGrainMs } from './util/clock.ts'
import { Notifier } from './util/notifier.ts'

/** Something that must hold on every connection: an exchange, a consumer, a session setting. */
export interface Declaration<C> {
  /** Its name. A second declaration under the same key takes the place of the first. */
  readonly key: string
  /** What must be settled before this one is tried: a binding needs its exchange and its queue. */
  readonly needs: readonly string[]
  /** Whether traffic waits for it. */
  readonly gates: boolean
  /**
   * Whether the server keeps it when the connection ends. Once it has held, nothing waits for it on later
   * connections: it is confirmed beside the traffic.
   */
  readonly survives: boolean
  /** How long one try may take at the most, in milliseconds. The first tries get less. */
  readonly timeoutMs: number
  apply(connection: C, signal: AbortSignal): Promise<void>
}

/** How a declaration stands on the current connection. */
export type DeclarationStatus =
  | { readonly kind: 'due' }
  /** A try is under way; `abandon` ends it, when what it stands on is gone or nobody wants it any more. */
  | { readonly kind: 'applying'; readonly abandon: (reason: Error) => void }
  | { readonly kind: 'held'; readonly sinceMs: number }
  | { readonly kind: 'retrying'; readonly atMs: number; readonly error: Error }
  /** The server said no for good: nothing is tried again before the next connection, or before it is declared anew. */
  | { readonly kind: 'refused'; readonly error: Error }

interface Entry<C> {
  readonly declaration: Declaration<C>
  status: DeclarationStatus
  /** It has held before and survives connections: others need not wait for it. */
  proven: boolean
  /** Tries that failed since it last held for a while. */
  failures: number
  /** The server's refusal has been told; the same one on the next connection is no news. */
  refusalReported: boolean
}

/** Why and when something ceased to hold. */
export interface Invalidation {
  readonly error: Error
  readonly nowMs: number
  readonly delayMs: (failures: number) => number
}

// Held for less than this before it lapsed, a declaration counts as failing: its next try backs off.
const stableMs = 5_000

/** Desired state, keyed, latest wins. It knows what is due; it does nothing by itself. */
export class DesiredState<C> {
  readonly #entries = new Map<string, Entry<C>>()
  /** Fires after every change. */
  readonly changed: Notifier = new Notifier()

  declare(declaration: Declaration<C>): void {
    this.#abandon(declaration.key, 'it was declared anew')
    this.#entries.set(declaration.key, {
      declaration,
      status: { kind: 'due' },
      proven: false,
      failures: 0,
      refusalReported: false,
    })
    this.changed.notifyAll()
  }

  /** Stops wanting it. What the server has stays there. */
  forget(key: string): void {
    this.#abandon(key, 'nobody wants it any more')
    if (this.#entries.delete(key)) this.changed.notifyAll()
  }

  /** A new connection: everything is due again, what was refused as well. */
  renew(nowMs: number): void {
    for (const entry of this.#entries.values()) {
      if (heldForAWhile(entry, nowMs)) entry.failures = 0
      entry.status = { kind: 'due' }
    }
    this.changed.notifyAll()
  }

  /**
   * It no longer holds on this connection, and neither does what needs it; a try of these that is under way would hold
   * on what is gone, and is abandoned. The first time it is due at once; what lapses again before it has held for a
   * while waits `delayMs(failures)`.
   */
  invalidate(key: string, invalidation: Invalidation): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    const { status: before } = entry
    entry.status = statusAfterInvalidation(entry, invalidation)
    entry.proven = false
    if (before.kind === 'applying') before.abandon(invalidation.error)
    for (const { declaration, status } of this.#entries.values()) {
      const mayHold = status.kind === 'held' || status.kind === 'applying'
      if (mayHold && declaration.needs.includes(key)) this.invalidate(declaration.key, invalidation)
    }
    this.changed.notifyAll()
  }

  #abandon(key: string, why: string): void {
    const status = this.#entries.get(key)?.status
    if (status?.kind === 'applying') status.abandon(new Error(`${key}: ${why}`))
  }

  /** What can be tried now. */
  due(nowMs: number): readonly Declaration<C>[] {
    const ready: Declaration<C>[] = []
    for (const { declaration, status } of this.#entries.values()) {
      const due = status.kind === 'due' || (status.kind === 'retrying' && status.atMs - nowMs < timerGrainMs)
      if (due && this.#needsSettled(declaration)) ready.push(declaration)
    }
    return ready
  }

  /** When the next retry is due, or undefined when none waits for its time alone. */
  nextRetryAtMs(): number | undefined {
    let next: number | undefined
    for (const { declaration, status } of this.#entries.values()) {
      if (status.kind !== 'retrying' || !this.#needsSettled(declaration)) continue
      if (next === undefined || status.atMs < next) next = status.atMs
    }
    return next
  }

  #needsSettled(declaration: Declaration<C>): boolean {
    return declaration.needs.every((key) => this.isSettled(key))
  }

  /** How many are being tried now. */
  get applying(): number {
    let number = 0
    for (const { status } of this.#entries.values()) if (status.kind === 'applying') number += 1
    return number
  }

  /** How often it has failed since it last held for a while. */
  failures(key: string): number {
    return this.#entries.get(key)?.failures ?? 0
  }

  /**
   * Notes how a try of exactly this declaration stands; ignored when it has been replaced or forgotten meanwhile.
   * True when it is a refusal that nobody has been told of.
   */
  record(declaration: Declaration<C>, status: DeclarationStatus): boolean {
    const entry = this.#entries.get(declaration.key)
    if (entry?.declaration !== declaration) return false
    entry.status = status
    if (status.kind === 'retrying') entry.failures += 1
    if (status.kind === 'held') {
      entry.proven = declaration.survives
      entry.refusalReported = false
    }
    const news = status.kind === 'refused' && !entry.refusalReported
    if (news) entry.refusalReported = true
    this.changed.notifyAll()
    return news
  }

  /** True when others need not wait for it: it holds, it is known to be there, or the server has said no for good. */
  isSettled(key: string): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.proven) return true
    return entry.status.kind === 'held' || entry.status.kind === 'refused'
  }

  /** True when traffic may flow. */
  get open(): boolean {
    for (const { declaration } of this.#entries.values()) {
      if (declaration.gates && !this.isSettled(declaration.key)) return false
    }
    return true
  }

  /** How it stands, or undefined when nobody wants it. */
  status(key: string): DeclarationStatus | undefined {
    return this.#entries.get(key)?.status
  }

  /** The keys of everything wanted, in the order of declaration. */
  keys(): readonly string[] {
    return [...this.#entries.keys()]
  }

  /** Waits until {@link isSettled}; rejects with the server's error when it was refused. */
  async whenSettled(key: string, signal: AbortSignal): Promise<void> {
    while (!this.isSettled(key)) await this.changed.wait(signal)
    const status = this.status(key)
    if (status?.kind === 'refused') throw status.error
  }
}

// Also counts the lapse, so that what flaps backs off.
function statusAfterInvalidation(
  entry: Entry<never>,
  { error, nowMs, delayMs }: Invalidation,
): DeclarationStatus {
  const failures = heldForAWhile(entry, nowMs) ? 0 : entry.failures
  entry.failures = failures + 1
  return failures === 0 ? { kind: 'due' } : { kind: 'retrying', atMs: nowMs + delayMs(failures - 1), error }
}

function heldForAWhile({ status }: Entry<never>, nowMs: number): boolean {
  return status.kind === 'held' && nowMs - status.sinceMs >= stableMs
}
