import { type Clock, formatEndpoint, type HaError, type Link } from '@ha/core'
import { leaseOf, linkedController, Notifier, withDeadline } from '@ha/core/driver'
import type { AmqpConnection } from '../amqp/connection.ts'
import { rabbitError } from '../codes.ts'
import type { ResolvedOptions } from '../options.ts'
import { type Entry, fail } from './entry.ts'
import { dropped } from './failures.ts'
import { Lane } from './lane.ts'
import { laneDeclaration } from './lane-declaration.ts'
import type { Left } from './lane-entries.ts'
import { OutboxSpace } from './outbox-space.ts'
import { ConfirmedPublisher, type Publisher, type PublisherSettings } from './publisher.ts'
import { type Progress, watchStall } from './stall.ts'
import { Sweep } from './sweep.ts'

/** The topology as publishers see it. */
export interface Routes {
  /** Whether what a message is published to is known to be there, or nothing more can be done about it. */
  ready(exchange: string, key: string): boolean
  /** Hears that the broker found no queue for what was published there: what is bound may have vanished unannounced. */
  doubt(exchange: string, key: string): void
  /** Declares an exchange again that the broker does not know; false when it is not ours. */
  restore(exchange: string): boolean
  /** Waits for a change. */
  changed(signal: AbortSignal): Promise<void>
}

export interface PublishingParts {
  readonly clock: Clock
  readonly options: ResolvedOptions
  readonly link: Link<AmqpConnection>
  readonly routes: Routes
  readonly idPrefix: string
  readonly onStalled: (unconfirmed: number, forMs: number) => void
}

export interface PublishingSettings<T> extends PublisherSettings<T> {
  /** How many messages may be unconfirmed at once. */
  readonly maxInFlight: number
}

/** Everything that publishes: one connection, and on it one confirm channel for each publisher. */
export class Publishing {
  readonly #parts: PublishingParts
  readonly #scope = linkedController()
  readonly #lanes: Lane[] = []
  readonly #settled = new Notifier()
  readonly #sweep: Sweep
  readonly space: OutboxSpace
  #taking = true
  #number = 0
  #confirmed = 0
  /** What lanes that are closed had sent again. */
  #replayedBefore = 0

  constructor(parts: PublishingParts) {
    this.#parts = parts
    this.space = new OutboxSpace(parts.options.outbox)
    this.#sweep = new Sweep(parts.clock, (nowMs) => this.#expire(nowMs))
    parts.link.events.on('state', ({ kind }) => this.#onState(kind === 'suspended'))
    background(this.#followRoutes())
    background(this.#watchStall())
  }

  /** How many messages were put back to be sent again, so far. */
  get replayed(): number {
    return this.#replayedBefore + sum(this.#lanes, (lane) => lane.replayed)
  }

  /** Sent and not confirmed. */
  get unconfirmed(): number {
    return sum(this.#lanes, (lane) => lane.unconfirmed)
  }

  get confirmed(): number {
    return this.#confirmed
  }

  publisher<T>(settings: PublishingSettings<T>): Publisher<T> {
    const { clock, options: resolved, link, idPrefix } = this.#parts
    this.#number += 1
    const key = `lane ${this.#number}`
    const lane = this.#lane(key, settings.maxInFlight)
    link.start()
    return new ConfirmedPublisher(settings, {
      clock,
      lane,
      space: this.space,
      sweep: this.#sweep,
      outbox: resolved.outbox,
      dropOldest: () => this.#dropOldest(),
      idPrefix: `${idPrefix}-${this.#number}`,
      checkOpen: () => this.#checkOpen(),
      onSettled: (ok) => this.#onSettled(ok),
      end: (isIdle, timeoutMs) => this.#endLane(key, lane, { isIdle, timeoutMs }),
    })
  }

  /** Sends nothing more on this connection, and waits for what is unconfirmed on it, up to `timeoutMs`. */
  async finishBeforeMove(timeoutMs: number): Promise<void> {
    for (const lane of this.#lanes) lane.hold('moving')
    await this.#until(() => this.unconfirmed === 0, timeoutMs)
  }

  /**
   * Takes no more messages and waits until all are settled, up to `timeoutMs` or until the signal fires; fails the
   * rest, and counts. Who waited for room before is still let in.
   */
  async drain(timeoutMs: number, signal: AbortSignal): Promise<Left> {
    this.#taking = false
    await this.#until(() => this.space.messages === 0 && this.space.waiting === 0, timeoutMs, signal)
    this.space.close(closedError())
    const left = { unknown: 0, notSent: 0 }
    for (const lane of this.#lanes) {
      const { unknown, notSent } = lane.end()
      left.unknown += unknown
      left.notSent += notSent
    }
    this.#sweep.stop()
    this.#scope.abort(closedError())
    return left
  }

  async #endLane(
    key: string,
    lane: Lane,
    { isIdle, timeoutMs }: { readonly isIdle: () => boolean; readonly timeoutMs: number },
  ): Promise<Left> {
    await this.#until(isIdle, timeoutMs)
    this.#parts.link.desiredState.forget(key)
    const left = lane.end()
    const place = this.#lanes.indexOf(lane)
    if (place >= 0) this.#lanes.splice(place, 1)
    this.#replayedBefore += lane.replayed
    return left
  }

  async #until(settled: () => boolean, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const expired = (): HaError => rabbitError('timed-out', 'messages are still unconfirmed')
    try {
      await withDeadline(this.#parts.clock, { timeoutMs, signal, expired }, async (inner) => {
        while (!settled()) await this.#settled.wait(inner)
      })
    } catch {
      // Out of time: the caller looks at what is left.
    }
  }

  #lane(key: string, maxInFlight: number): Lane {
    const { clock, link, routes, options } = this.#parts
    const lane = new Lane({
      clock,
      maxInFlight,
      routeReady: (entry: Entry) => routes.ready(entry.exchange, entry.key),
      onUnroutable: ({ exchange, key: routingKey }) => routes.doubt(exchange, routingKey),
      onExchangeMissing: (exchange) => routes.restore(exchange),
    })
    this.#lanes.push(lane)
    if (link.state.kind === 'suspended') lane.hold('blocked')
    link.desiredState.declare(laneDeclaration(key, lane, link, options.declareTimeoutMs))
    return lane
  }

  // The outbox is shared, and so is the loss.
  #dropOldest(): boolean {
    const oldest = this.#lanes
      .map((lane) => lane.oldestFresh)
      .filter((entry) => entry !== undefined)
      .sort((a, b) => a.acceptedAtMs - b.acceptedAtMs)[0]
    if (oldest === undefined) return false
    fail(oldest, dropped(oldest))
    return true
  }

  #onState(blocked: boolean): void {
    for (const lane of this.#lanes) {
      if (blocked) lane.hold('blocked')
      else lane.release('blocked')
    }
  }

  #expire(nowMs: number): number | undefined {
    const deadlines = this.#lanes
      .map((lane) => lane.expire(nowMs))
      .filter((deadline) => deadline !== undefined)
    return deadlines.length === 0 ? undefined : Math.min(...deadlines)
  }

  async #followRoutes(): Promise<void> {
    for (;;) {
      await this.#parts.routes.changed(this.#scope.signal)
      for (const lane of this.#lanes) lane.release('topology')
    }
  }

  #watchStall(): Promise<void> {
    const { clock, link, options, onStalled } = this.#parts
    const progress = (): Omit<Progress, 'attentiveMs'> | undefined => {
      if (link.state.kind !== 'ready') return undefined
      return { answers: sum(this.#lanes, (lane) => lane.answers), unconfirmed: this.unconfirmed }
    }
    const onStall = (unconfirmed: number, forMs: number): void => {
      onStalled(unconfirmed, forMs)
      const lease = leaseOf(link.state)
      if (lease !== undefined) link.fail(lease, stalledAt(formatEndpoint(lease.endpoint), forMs), forMs)
    }
    const { confirmStallMs } = options.liveness
    return watchStall({ clock, confirmStallMs, progress, onStall }, this.#scope.signal)
  }

  #onSettled(confirmed: boolean): void {
    if (confirmed) this.#confirmed += 1
    this.#settled.notifyAll()
  }

  #checkOpen(): void {
    if (!this.#taking) throw closedError()
  }
}

// Each loop ends by rejection when the client is closed; that is no failure.
function background(loop: Promise<unknown>): void {
  loop.catch(() => undefined)
}

function sum(lanes: readonly Lane[], of: (lane: Lane) => number): number {
  return lanes.reduce((total, lane) => total + of(lane), 0)
}

function stalledAt(endpoint: string, forMs: number): HaError {
  const message = `${endpoint} has confirmed nothing for ${forMs} ms`
  return rabbitError('stalled', message, { endpoint, retryable: true, outcome: 'unknown' })
}

function closedError(): HaError {
  return rabbitError('closed', 'the client takes no more messages')
}
