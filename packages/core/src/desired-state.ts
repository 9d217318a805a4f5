import { timerGrainMs } from './util/clock.ts'
import { Notifier } from './util/notifier.ts'

/** Something that must hold on every connection: an exchange, a consumer, a session setting. */
export interface Declaration<C> {
  /** Its name. A second declaration under the same key takes the place of the first. */
  readonly key: string
  /** The keys that must be settled before this one is tried: a binding needs its exchange and its queue. */
  readonly needs: readonly string[]
  /** Whether traffic waits for it. */
  readonly gates: boolean
  /**
   * Whether the server keeps it when the connection ends. Once it has held, nothing waits for it on later
   * connections: it is confirmed beside the traffic.
   */
  readonly survives: boolean
  /** The deadline of one attempt, in milliseconds. The first attempts get less. */
  readonly timeoutMs: number
  apply(connection: C, signal: AbortSignal): Promise<void>
  /**
   * Sends the same request on a connection of its own, to find out whether the server ends connections over it; leaves
   * nothing behind. Default: `apply`.
   */
  tryApart?(connection: C, signal: AbortSignal): Promise<void>
}

/** The status of a declaration on the current connection. */
export type DeclarationStatus =
  | { readonly kind: 'due' }
  /** An attempt is under way. `abandon` ends it when a declaration that it needs is gone, or when it is forgotten. */
  | { readonly kind: 'applying'; readonly abandon: (reason: Error) => void }
  | { readonly kind: 'held'; readonly sinceMs: number }
  | { readonly kind: 'retrying'; readonly atMs: number; readonly error: Error }
  /** The server refused it. Nothing waits for it any more; it is tried again at `atMs`, or on the next connection. */
  | { readonly kind: 'refused'; readonly atMs: number; readonly error: Error }

interface Entry<C> {
  readonly declaration: Declaration<C>
  status: DeclarationStatus
  /** It has held before and survives connections: other declarations need not wait for it. */
  proven: boolean
  /** Attempts that failed since it last held for {@link stableMs}. */
  failures: number
  /** The refusal has been reported; a repeated refusal is not reported. */
  refusalReported: boolean
  /** The last refusal on this connection: while it is tried again, nothing waits for it. */
  refusal: Error | undefined
  /** It was under way when the server ended a connection because of a request: it is tried apart from the others. */
  suspect: boolean
}

/** Why and when a declaration ceased to hold. */
export interface Invalidation {
  readonly error: Error
  readonly nowMs: number
  readonly delayMs: (failures: number) => number
}

// A declaration that is invalidated sooner than this after it held counts as failing: its next attempt backs off.
const stableMs = 5_000

/** The desired state: declarations by key, the latest wins. It names what is due, and applies nothing by itself. */
export class DesiredState<C> {
  readonly #entries = new Map<string, Entry<C>>()
  /** Notifies after every change. */
  readonly changed: Notifier = new Notifier()

  declare(declaration: Declaration<C>): void {
    this.#abandon(declaration.key, 'it was declared again')
    this.#entries.set(declaration.key, {
      declaration,
      status: { kind: 'due' },
      proven: false,
      failures: 0,
      refusalReported: false,
      refusal: undefined,
      suspect: false,
    })
    this.changed.notifyAll()
  }

  /** Removes a declaration. Does not remove anything from the server. */
  forget(key: string): void {
    this.#abandon(key, 'it was forgotten')
    if (this.#entries.delete(key)) this.changed.notifyAll()
  }

  /**
   * A new connection: every declaration is due again, refused ones included. One that ended a connection keeps its time.
   */
  renew(nowMs: number): void {
    for (const entry of this.#entries.values()) {
      if (wasStable(entry, nowMs)) entry.failures = 0
      if (entry.suspect && entry.status.kind === 'refused') continue
      entry.status = { kind: 'due' }
      entry.refusal = undefined
    }
    this.changed.notifyAll()
  }

  /**
   * The server ended the connection because of a request: each declaration under way may have been it, and is a suspect
   * from now on.
   */
  suspect(): void {
    for (const entry of this.#entries.values()) if (entry.status.kind === 'applying') entry.suspect = true
  }

  /** The declaration is not what ended the connection: it is applied beside the others again. */
  clear(declaration: Declaration<C>): void {
    const entry = this.#entries.get(declaration.key)
    if (entry?.declaration === declaration) entry.suspect = false
  }

  /** Whether the declaration is tried apart from the others. */
  isSuspect(key: string): boolean {
    return this.#entries.get(key)?.suspect === true
  }

  /**
   * The declaration no longer holds on this connection, and neither do those that need it; their attempts under way are
   * abandoned. It is due at once the first time; invalidated again before it was stable, it waits `delayMs(failures)`.
   */
  invalidate(key: string, invalidation: Invalidation): void {
    const entry = this.#entries.get(key)
    // A refused declaration does not hold anyway, and keeps its time.
    if (entry === undefined || entry.status.kind === 'refused') return
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

  /** The declarations that can be tried now, suspects last and one at a time. */
  due(nowMs: number): readonly Declaration<C>[] {
    const ready: Declaration<C>[] = []
    const suspects: Declaration<C>[] = []
    let isTrialUnderWay = false
    for (const { declaration, status, suspect } of this.#entries.values()) {
      isTrialUnderWay ||= suspect && status.kind === 'applying'
      if (!isDue(status, nowMs) || !this.#needsSettled(declaration)) continue
      if (suspect) suspects.push(declaration)
      else ready.push(declaration)
    }
    return isTrialUnderWay ? ready : [...ready, ...suspects.slice(0, 1)]
  }

  /** When the next retry is due; undefined when none waits only for its time. */
  nextRetryAtMs(): number | undefined {
    let next: number | undefined
    for (const { declaration, status } of this.#entries.values()) {
      if ((status.kind !== 'retrying' && status.kind !== 'refused') || !this.#needsSettled(declaration))
        continue
      if (next === undefined || status.atMs < next) next = status.atMs
    }
    return next
  }

  #needsSettled(declaration: Declaration<C>): boolean {
    return declaration.needs.every((key) => this.isSettled(key))
  }

  /** The number of attempts under way. */
  get applying(): number {
    let number = 0
    for (const { status } of this.#entries.values()) if (status.kind === 'applying') number += 1
    return number
  }

  /** How often it has failed since it was last stable. */
  failures(key: string): number {
    return this.#entries.get(key)?.failures ?? 0
  }

  /**
   * Records the status of exactly this declaration; ignored when it has been replaced or forgotten meanwhile. True for a
   * refusal that has not been reported yet.
   */
  record(declaration: Declaration<C>, status: DeclarationStatus): boolean {
    const entry = this.#entries.get(declaration.key)
    if (entry?.declaration !== declaration) return false
    entry.status = status
    const isNewRefusal = status.kind === 'refused' && !entry.refusalReported
    fold(entry, status)
    this.changed.notifyAll()
    return isNewRefusal
  }

  /** Whether other declarations need not wait for it: it holds, has held and survives connections, or is refused. */
  isSettled(key: string): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.proven || entry.refusal !== undefined) return true
    return entry.status.kind === 'held'
  }

  /** Whether the server has refused it on this connection. */
  isRefused(key: string): boolean {
    return this.#entries.get(key)?.refusal !== undefined
  }

  /** Whether traffic may flow: every declaration that gates it is settled. */
  get open(): boolean {
    for (const { declaration } of this.#entries.values()) {
      if (declaration.gates && !this.isSettled(declaration.key)) return false
    }
    return true
  }

  /** The status of a declaration; undefined when there is none with this key. */
  status(key: string): DeclarationStatus | undefined {
    return this.#entries.get(key)?.status
  }

  /** The keys of all declarations, in order. */
  keys(): readonly string[] {
    return [...this.#entries.keys()]
  }

  /** Waits until {@link isSettled}; rejects with the server's error when it was refused. */
  async whenSettled(key: string, signal: AbortSignal): Promise<void> {
    while (!this.isSettled(key)) await this.changed.wait(signal)
    const refusal = this.#entries.get(key)?.refusal
    if (refusal !== undefined) throw refusal
  }
}

function isDue(status: DeclarationStatus, nowMs: number): boolean {
  if (status.kind === 'due') return true
  return (status.kind === 'retrying' || status.kind === 'refused') && status.atMs - nowMs < timerGrainMs
}

function fold(entry: Entry<never>, status: DeclarationStatus): void {
  if (status.kind === 'retrying' || status.kind === 'refused') entry.failures += 1
  if (status.kind === 'held') {
    entry.proven = entry.declaration.survives
    entry.refusalReported = false
    entry.refusal = undefined
  }
  if (status.kind === 'refused') {
    entry.refusalReported = true
    entry.refusal = status.error
  }
}

// Counts the invalidation as a failure, so that a flapping declaration backs off.
function statusAfterInvalidation(
  entry: Entry<never>,
  { error, nowMs, delayMs }: Invalidation,
): DeclarationStatus {
  const failures = wasStable(entry, nowMs) ? 0 : entry.failures
  entry.failures = failures + 1
  return failures === 0 ? { kind: 'due' } : { kind: 'retrying', atMs: nowMs + delayMs(failures - 1), error }
}

function wasStable({ status }: Entry<never>, nowMs: number): boolean {
  return status.kind === 'held' && nowMs - status.sinceMs >= stableMs
}
