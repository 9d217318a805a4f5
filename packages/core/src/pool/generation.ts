import { createPool, type Pool as GenericPool } from 'generic-pool'
import type { ConnectionSignal } from '../driver.ts'
import type { HaError } from '../errors/ha-error.ts'
import { expectManyWaiters, linkedController } from '../runtime/scope.ts'
import { leaseOver } from '../source.ts'
import { Dialler, type Dialling } from './dialler.ts'
import type { Held } from './held.ts'
import type { PoolOptions } from './pool-options.ts'

export interface GenerationParts<C> extends Dialling<C> {
  readonly options: PoolOptions<C, unknown>
  /** `host:port`. */
  readonly name: string
  readonly number: number
  /** Called within the turn in which one connection ends before its generation does. */
  readonly onLost: (held: Held<C>, error: Error) => void
}

// Hikari's spread: connections that were made together do not end together.
const lifetimeSpread = 0.025

/**
 * The connections to one endpoint from the moment when it becomes usable until it no longer is. They are kept by a
 * generic-pool of their own, which sees no more requests than it has room for and whose factory never rejects: given
 * a factory that rejects at once, it asks again at once and for ever.
 */
export class Generation<C> {
  readonly number: number
  readonly #parts: GenerationParts<C>
  readonly #scope = linkedController()
  readonly #dialler: Dialler<C>
  readonly #all = new Set<Held<C>>()
  readonly #inner: GenericPool<Held<C>>
  // Last in, first out: what is used stays warm, and what nobody needs grows old.
  readonly #shelf: Held<C>[] = []

  constructor(parts: GenerationParts<C>) {
    this.number = parts.number
    this.#parts = parts
    this.#dialler = new Dialler(parts)
    const { max, min } = parts.options.size
    const factory = { create: () => this.#create(), destroy: (held: Held<C>) => this.#destroy(held) }
    this.#inner = createPool(factory, { max, min, fifo: false })
  }

  /** Why connections cannot be made at this moment. */
  get trouble(): Error | undefined {
    return this.#dialler.trouble
  }

  get idle(): number {
    return this.#inner.available + this.#shelf.length
  }

  /** How many are being dialled. */
  get connecting(): number {
    return this.#dialler.underWay
  }

  /** How many more may be asked for. */
  get room(): number {
    return this.#inner.max - this.#inner.borrowed - this.#inner.pending + this.#shelf.length
  }

  /** How many there are, with those that are being made. */
  get size(): number {
    return this.#inner.size
  }

  /** Fires when the generation is over. */
  get signal(): AbortSignal {
    return this.#scope.signal
  }

  /** Takes an idle connection that somebody has used before; undefined when there is none. */
  take(): Held<C> | undefined {
    return this.#shelf.pop()
  }

  /** Resolves with an idle connection or a new one, and never when the generation ends first. */
  ask(): Promise<Held<C>> {
    const held = this.take()
    return held === undefined ? this.#inner.acquire() : Promise.resolve(held)
  }

  /** Makes a connection that was taken or asked for idle. */
  giveBack(held: Held<C>): void {
    if (this.#all.has(held)) this.#shelf.push(held)
  }

  /** Lets go of a connection that was taken or asked for, and is over. */
  discard(held: Held<C>): void {
    if (this.#inner.isBorrowedResource(held)) void this.#inner.destroy(held)
  }

  /** Ends every connection at once, and those that are being made as soon as they arrive. */
  end(error: Error): void {
    if (this.signal.aborted) return
    const reason = leaseOver(this.#parts.name, error)
    this.#scope.abort(reason)
    for (const held of this.#all) held.end(reason)
    this.#all.clear()
    this.#shelf.length = 0
  }

  #create(): Promise<Held<C>> {
    const made = this.#dialler.dial(this.signal).then((connection) => this.#hold(connection))
    // The generation has ended: generic-pool would go on asking if it heard of it, and nobody waits for it any more.
    return made.catch(() => new Promise<never>(() => undefined))
  }

  #hold(connection: C): Held<C> {
    const { driver, clock, random, idle } = this.#parts.options
    const scope = linkedController()
    expectManyWaiters(scope.signal)
    let unwatch = (): void => undefined
    const nowMs = clock.now()
    const held: Held<C> = {
      connection,
      signal: scope.signal,
      retireAtMs: nowMs + idle.maxLifetimeMs * (1 - lifetimeSpread * random()),
      idleSinceMs: nowMs,
      end: (reason) => {
        if (scope.signal.aborted) return
        unwatch()
        scope.abort(reason)
        driver.destroy(connection)
      },
    }
    this.#all.add(held)
    unwatch = driver.watch(connection, (news) => this.#hear(held, news))
    // A connection, or its generation, can be over before it is watched.
    if (this.signal.aborted) held.end(this.signal.reason as HaError)
    if (held.signal.aborted) unwatch()
    return held
  }

  #hear(held: Held<C>, news: ConnectionSignal): void {
    if (news.kind !== 'lost' || held.signal.aborted) return
    held.end(leaseOver(this.#parts.name, news.error))
    this.#parts.onLost(held, news.error)
  }

  #destroy(held: Held<C>): Promise<void> {
    this.#all.delete(held)
    return Promise.resolve()
  }
}
