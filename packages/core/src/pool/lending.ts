import type { Endpoint } from '../address/endpoint.ts'
import { type Lease, leaseOver } from '../source.ts'
import { Generation } from './generation.ts'
import { type Held, upkeepOf } from './held.ts'
import { Loans } from './loans.ts'
import type { PoolOptions } from './pool-options.ts'
import { leftover, type Proof, proved, retired } from './upkeep.ts'
import type { WaitingLine } from './waiting-line.ts'

export interface LendingParts<C> {
  readonly endpoint: Endpoint
  /** `host:port`. */
  readonly name: string
  readonly number: number
  readonly options: PoolOptions<C, unknown>
  readonly line: WaitingLine<C>
  readonly onLent: () => void
  readonly onReturned: () => void
  /** Called when a dial failed, or a connection was lost. */
  readonly onFailure: (error: Error) => void
  /** Called with what can only be a defect of ours. */
  readonly onDefect: (thrown: unknown) => void
}

/** The borrowing and giving back of the connections of one generation. */
export class Lending<C> {
  readonly loans: Loans<C>
  readonly generation: Generation<C>
  readonly #parts: LendingParts<C>
  // Connections that are asked for, or asked something, on behalf of those in line.
  #asked = 0
  #retiring = 0
  #doubt: Error | undefined

  constructor(parts: LendingParts<C>) {
    const { endpoint, name, number, options } = parts
    this.#parts = parts
    this.loans = new Loans(parts)
    this.generation = new Generation({
      endpoint,
      name,
      number,
      options,
      onFailed: parts.onFailure,
      onLost: (held, error) => this.#onLost(held, error),
    })
  }

  /** Why nothing is to be had though the endpoint is up: dials fail, or an idle connection did not answer. */
  get trouble(): Error | undefined {
    return this.#doubt ?? this.generation.trouble
  }

  /** Takes an idle connection that needs no proof; undefined when there is none, and one has to stand in line. */
  takeReady(stack: string | undefined): Lease<C> | undefined {
    if (this.#parts.line.length > 0) return undefined
    const held = this.generation.take()
    if (held === undefined) return undefined
    if (this.#fresh(held)) return this.#lend(held, stack)
    this.generation.giveBack(held)
    return undefined
  }

  /** Asks for as many connections as stand in line for one, as far as there is room. */
  pump(): void {
    const generation = this.generation
    while (this.#asked < this.#parts.line.length && generation.room > 0) {
      this.#asked += 1
      generation
        .ask()
        .then((held) => {
          this.#asked -= 1
          this.#offer(held)
        })
        .catch(this.#parts.onDefect)
    }
  }

  /** The server has answered: whatever was doubted of it. */
  trust(): void {
    this.#doubt = undefined
  }

  /** Takes a lease back. Nothing happens when it is over. */
  giveBack(lease: Lease<C>): void {
    const held = this.loans.end(lease)
    if (held === undefined) return
    const left = leftover(this.#parts.options.driver, held)
    if (left.kind === 'spoilt') this.#discard(held, left.error)
    else if (left.kind === 'renewing') this.#background(this.#renewed(held, left.done))
    else this.#shelve(held)
    this.#parts.onReturned()
  }

  /** Ends the connection of a lease; false when it is over already. */
  drop(lease: Lease<C>, error: Error): boolean {
    const held = this.loans.end(lease)
    if (held === undefined) return false
    this.#discard(held, error)
    this.#parts.onReturned()
    return true
  }

  /** Looks after the connections that nobody has. `suspicious` asks each of them for an answer. */
  upkeep(suspicious = false): void {
    this.#background(this.#lookAfterIdle(suspicious))
  }

  /** Ends the idle connections politely, within `timeoutMs`. */
  async retireIdle(timeoutMs: number): Promise<void> {
    const idle = await this.#allIdle()
    await Promise.all(idle.map((held) => this.#retire(held, timeoutMs)))
  }

  /** Ends every connection at once. */
  end(error: Error): void {
    this.loans.clear()
    this.generation.end(error)
  }

  async #lookAfterIdle(suspicious: boolean): Promise<void> {
    const { clock, idle: rules } = this.#parts.options
    const { keepaliveMs, timeoutMs } = suspicious ? { ...rules, keepaliveMs: 0 } : rules
    // Given back in the order in which they lay, so that what is used stays warm.
    for (const held of (await this.#allIdle()).reverse()) {
      const surplus = this.generation.size - this.#retiring > this.#parts.options.size.min
      const rule = { keepaliveMs, timeoutMs, surplus }
      switch (upkeepOf(held, clock.now(), rule)) {
        case 'keep':
        case 'discard':
          this.#offer(held)
          break
        case 'probe':
          this.#background(this.#validate(held))
          break
        case 'retire':
          this.#background(this.#retire(held, rules.validateTimeoutMs))
          break
      }
    }
  }

  #allIdle(): Promise<Held<C>[]> {
    return Promise.all(Array.from({ length: this.generation.idle }, () => this.generation.ask()))
  }

  #lend(held: Held<C>, stack: string | undefined): Lease<C> {
    const lease = this.loans.lend(held, stack)
    this.#parts.onLent()
    return lease
  }

  #fresh(held: Held<C>): boolean {
    const { clock, idle } = this.#parts.options
    return !held.signal.aborted && clock.now() - held.idleSinceMs <= idle.validateAfterMs
  }

  // A connection that nobody has: to the first in line once it has proved itself, else back to the idle ones.
  #offer(held: Held<C>): void {
    const { line } = this.#parts
    if (this.generation.signal.aborted) return
    if (held.signal.aborted) this.#forget(held)
    else if (line.length === 0) this.generation.giveBack(held)
    else if (this.#fresh(held)) this.#hand(held)
    else this.#background(this.#validate(held))
  }

  #hand(held: Held<C>): void {
    const waiter = this.#parts.line.next()
    waiter?.gate.resolve(this.#lend(held, waiter.stack))
  }

  async #validate(held: Held<C>): Promise<void> {
    const { driver } = this.#parts.options
    this.#asked += 1
    const proof = await proved(this.#parts, held, (signal) => driver.probe(held.connection, signal))
    this.#asked -= 1
    this.#heed(proof)
    this.#offer(held)
  }

  // One that is silent says something of all: nobody asks them one by one.
  #heed(proof: Proof): void {
    if (this.generation.signal.aborted) return
    if (proof.kind === 'silent' && this.#doubt === undefined) {
      this.#doubt = proof.error
      this.upkeep(true)
    }
    if (proof.kind !== 'sound') this.#parts.onFailure(proof.error)
  }

  async #renewed(held: Held<C>, renewing: Promise<void>): Promise<void> {
    await proved(this.#parts, held, () => renewing)
    this.#shelve(held)
  }

  #shelve(held: Held<C>): void {
    const { clock, idle } = this.#parts.options
    const nowMs = clock.now()
    if (held.signal.aborted) this.#forget(held)
    else if (nowMs >= held.retireAtMs) this.#background(this.#retire(held, idle.validateTimeoutMs))
    else {
      held.idleSinceMs = nowMs
      this.#offer(held)
      this.pump()
    }
  }

  async #retire(held: Held<C>, timeoutMs: number): Promise<void> {
    this.#retiring += 1
    await retired(this.#parts, held, timeoutMs)
    this.#retiring -= 1
    this.#forget(held)
  }

  #discard(held: Held<C>, error: Error): void {
    held.end(leaseOver(this.#parts.name, error))
    this.#forget(held)
  }

  #forget(held: Held<C>): void {
    if (this.generation.signal.aborted) return
    this.generation.discard(held)
    this.pump()
  }

  #onLost(held: Held<C>, error: Error): void {
    if (this.loans.endOf(held)) {
      this.#forget(held)
      this.#parts.onReturned()
    } else this.upkeep()
    this.#parts.onFailure(error)
  }

  #background(work: Promise<void>): void {
    work.catch(this.#parts.onDefect)
  }
}
