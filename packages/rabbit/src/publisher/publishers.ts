import { type Clock, formatEndpoint, type HaError, type Link } from '@ha/core'
import { ActiveTime, leaseOf, linkedController, Notifier, withDeadline } from '@ha/core/driver'
import type { AmqpConnection } from '../driver/connection.ts'
import { rabbitError } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'
import { fail, type PublishEntry, type UnconfirmedCounts } from './message-queue.ts'
import { PublishBuffer } from './publish-buffer.ts'
import { PublishChannel, publishChannelDeclaration } from './publish-channel.ts'
import { droppedForNewer } from './publish-errors.ts'
import { ConfirmedPublisher, type Publisher, type PublisherSettings } from './publisher.ts'

/** The topology as publishers see it. */
export interface Routes {
  /** Whether what a message is published to is known to be there, or nothing more can be done about it. */
  isRouteReady(exchange: string, key: string): boolean
  /** Hears that the broker found no queue for what was published there: what is bound may have vanished unannounced. */
  recheck(exchange: string, key: string): void
  /** Declares an exchange again that the broker does not know; false when it is not ours. */
  redeclareExchange(exchange: string): boolean
  /** Waits for a change. */
  changed(signal: AbortSignal): Promise<void>
}

interface PublishersDeps {
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
export class Publishers {
  readonly #deps: PublishersDeps
  readonly #scope = linkedController()
  readonly #channels: PublishChannel[] = []
  readonly #settled = new Notifier()
  readonly #deadlines: DeadlineTimer
  readonly buffer: PublishBuffer
  #isOpen = true
  #created = 0
  #confirmed = 0
  /** What lanes that are closed had sent again. */
  #replayedByClosed = 0

  constructor(parts: PublishersDeps) {
    this.#deps = parts
    this.buffer = new PublishBuffer(parts.options.outbox)
    this.#deadlines = new DeadlineTimer(parts.clock, (nowMs) => this.#expire(nowMs))
    parts.link.events.on('state', ({ kind }) => this.#onState(kind === 'suspended'))
    background(this.#followRoutes())
    background(this.#detectStalls())
  }

  /** How many messages were put back to be sent again, so far. */
  get replayed(): number {
    return this.#replayedByClosed + sum(this.#channels, (lane) => lane.replayed)
  }

  /** Sent and not confirmed. */
  get unconfirmed(): number {
    return sum(this.#channels, (lane) => lane.unconfirmed)
  }

  get confirmed(): number {
    return this.#confirmed
  }

  publisher<T>(settings: PublishingSettings<T>): Publisher<T> {
    const { clock, options: resolved, link, idPrefix } = this.#deps
    this.#created += 1
    const key = `lane ${this.#created}`
    const lane = this.#openChannel(key, settings.maxInFlight)
    link.start()
    return new ConfirmedPublisher(settings, {
      clock,
      lane,
      space: this.buffer,
      sweep: this.#deadlines,
      outbox: resolved.outbox,
      dropOldest: () => this.#dropOldest(),
      idPrefix: `${idPrefix}-${this.#created}`,
      checkOpen: () => this.#checkOpen(),
      onSettled: (ok) => this.#onSettled(ok),
      end: (isIdle, timeoutMs) => this.#closeChannel(key, lane, { isIdle, timeoutMs }),
    })
  }

  /** Sends nothing more on this connection, and waits for what is unconfirmed on it, up to `timeoutMs`. */
  async drainBeforeMove(timeoutMs: number): Promise<void> {
    for (const lane of this.#channels) lane.pause('moving')
    await this.#waitUntil(() => this.unconfirmed === 0, timeoutMs)
  }

  /**
   * Takes no more messages and waits until all are settled, up to `timeoutMs` or until the signal fires; fails the
   * rest, and counts. Who waited for room before is still let in.
   */
  async drain(timeoutMs: number, signal: AbortSignal): Promise<UnconfirmedCounts> {
    this.#isOpen = false
    await this.#waitUntil(() => this.buffer.messages === 0 && this.buffer.waiting === 0, timeoutMs, signal)
    this.buffer.close(closedError())
    const left = { unknown: 0, notSent: 0 }
    for (const lane of this.#channels) {
      const { unknown, notSent } = lane.end()
      left.unknown += unknown
      left.notSent += notSent
    }
    this.#deadlines.stop()
    this.#scope.abort(closedError())
    return left
  }

  async #closeChannel(
    key: string,
    lane: PublishChannel,
    { isIdle, timeoutMs }: { readonly isIdle: () => boolean; readonly timeoutMs: number },
  ): Promise<UnconfirmedCounts> {
    await this.#waitUntil(isIdle, timeoutMs)
    this.#deps.link.desiredState.forget(key)
    const left = lane.end()
    const place = this.#channels.indexOf(lane)
    if (place >= 0) this.#channels.splice(place, 1)
    this.#replayedByClosed += lane.replayed
    return left
  }

  async #waitUntil(settled: () => boolean, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const expired = (): HaError => rabbitError('timed-out', 'messages are still unconfirmed')
    try {
      await withDeadline(this.#deps.clock, { timeoutMs, signal, expired }, async (inner) => {
        while (!settled()) await this.#settled.wait(inner)
      })
    } catch {
      // Out of time: the caller looks at what is left.
    }
  }

  #openChannel(key: string, maxInFlight: number): PublishChannel {
    const { clock, link, routes, options } = this.#deps
    const lane = new PublishChannel({
      clock,
      maxInFlight,
      routeReady: (entry: PublishEntry) => routes.isRouteReady(entry.exchange, entry.key),
      onUnroutable: ({ exchange, key: routingKey }) => routes.recheck(exchange, routingKey),
      onExchangeMissing: (exchange) => routes.redeclareExchange(exchange),
    })
    this.#channels.push(lane)
    if (link.state.kind === 'suspended') lane.pause('blocked')
    link.desiredState.declare(publishChannelDeclaration(key, lane, link, options.declareTimeoutMs))
    return lane
  }

  // The outbox is shared, and so is the loss.
  #dropOldest(): boolean {
    const oldest = this.#channels
      .map((lane) => lane.oldestUnsent)
      .filter((entry) => entry !== undefined)
      .sort((a, b) => a.acceptedAtMs - b.acceptedAtMs)[0]
    if (oldest === undefined) return false
    fail(oldest, droppedForNewer(oldest))
    return true
  }

  #onState(blocked: boolean): void {
    for (const lane of this.#channels) {
      if (blocked) lane.pause('blocked')
      else lane.resume('blocked')
    }
  }

  #expire(nowMs: number): number | undefined {
    const deadlines = this.#channels
      .map((lane) => lane.expire(nowMs))
      .filter((deadline) => deadline !== undefined)
    return deadlines.length === 0 ? undefined : Math.min(...deadlines)
  }

  async #followRoutes(): Promise<void> {
    for (;;) {
      await this.#deps.routes.changed(this.#scope.signal)
      for (const lane of this.#channels) lane.resume('topology')
    }
  }

  #detectStalls(): Promise<void> {
    const { clock, link, options, onStalled } = this.#deps
    const progress = (): Omit<ConfirmProgress, 'activeMs'> | undefined => {
      if (link.state.kind !== 'ready') return undefined
      return { confirms: sum(this.#channels, (lane) => lane.confirms), unconfirmed: this.unconfirmed }
    }
    const onStall = (unconfirmed: number, forMs: number): void => {
      onStalled(unconfirmed, forMs)
      const lease = leaseOf(link.state)
      if (lease !== undefined) link.fail(lease, stalledError(formatEndpoint(lease.endpoint), forMs), forMs)
    }
    const { confirmStallMs } = options.liveness
    return detectStalls({ clock, confirmStallMs, progress, onStall }, this.#scope.signal)
  }

  #onSettled(confirmed: boolean): void {
    if (confirmed) this.#confirmed += 1
    this.#settled.notifyAll()
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw closedError()
  }
}

// Each loop ends by rejection when the client is closed; that is no failure.
function background(loop: Promise<unknown>): void {
  loop.catch(() => undefined)
}

function sum(lanes: readonly PublishChannel[], of: (lane: PublishChannel) => number): number {
  return lanes.reduce((total, lane) => total + of(lane), 0)
}

function stalledError(endpoint: string, forMs: number): HaError {
  const message = `${endpoint} has confirmed nothing for ${forMs} ms`
  return rabbitError('stalled', message, { endpoint, retryable: true, outcome: 'unknown' })
}

function closedError(): HaError {
  return rabbitError('closed', 'the client takes no more messages')
}

/** How long nothing was confirmed, and how long that will be borne. */
interface StallState {
  readonly confirms: number
  readonly forMs: number
  readonly limitMs: number
}

interface ConfirmProgress {
  readonly confirms: number
  readonly unconfirmed: number
  readonly activeMs: number
}

// A cluster in which no node can confirm is not helped by clients that run from one to the next.
const maxLimitMs = 60_000

/** No stall yet. */
export function noStall(confirms: number, patienceMs: number): StallState {
  return { confirms: confirms, forMs: 0, limitMs: patienceMs }
}

/** Folds a tick: any answer, or nothing to confirm, ends the stall. */
export function observeProgress(
  stall: StallState,
  progress: ConfirmProgress,
  patienceMs: number,
): StallState {
  if (progress.confirms !== stall.confirms || progress.unconfirmed === 0)
    return noStall(progress.confirms, patienceMs)
  return { ...stall, forMs: stall.forMs + progress.activeMs }
}

/** True when it is time to try another node. */
export function isStalled(stall: StallState): boolean {
  return stall.forMs >= stall.limitMs
}

/** After a move: the next one is borne twice as long. */
function afterMove(stall: StallState): StallState {
  return { ...stall, forMs: 0, limitMs: Math.min(stall.limitMs * 2, maxLimitMs) }
}

interface StallDetectorDeps {
  readonly clock: Clock
  readonly confirmStallMs: number
  /** The progress of all publishers together; undefined while there is no connection that could make any. */
  readonly progress: () => Omit<ConfirmProgress, 'activeMs'> | undefined
  readonly onStall: (unconfirmed: number, forMs: number) => void
}

/** Watches for a node that confirms pings and confirms nothing, until the signal fires. */
export async function detectStalls(watch: StallDetectorDeps, signal: AbortSignal): Promise<void> {
  const { clock, confirmStallMs, progress, onStall } = watch
  if (confirmStallMs === Number.POSITIVE_INFINITY) return
  const tickMs = confirmStallMs / 16
  const attention = new ActiveTime(clock, tickMs)
  let stall = noStall(0, confirmStallMs)
  for (;;) {
    await clock.sleep(tickMs, signal)
    const activeMs = attention.tick()
    const now = progress()
    if (now === undefined) continue
    stall = observeProgress(stall, { ...now, activeMs: activeMs }, confirmStallMs)
    if (!isStalled(stall)) continue
    onStall(now.unconfirmed, Math.round(stall.forMs))
    stall = afterMove(stall)
  }
}

// Deadlines are kept to within this: one timer for all messages instead of one for each.
const deadlineGrainMs = 50

/** One timer for the deadlines of many. */
export class DeadlineTimer {
  readonly #clock: Clock
  /** Ends what is due and returns the next deadline. */
  readonly #due: (nowMs: number) => number | undefined
  #atMs = Number.POSITIVE_INFINITY
  #cancel: () => void = () => undefined

  constructor(clock: Clock, due: (nowMs: number) => number | undefined) {
    this.#clock = clock
    this.#due = due
  }

  /** Sees to it that {@link due} is called soon after this deadline. */
  schedule(deadlineMs: number): void {
    if (deadlineMs >= this.#atMs) return
    this.#cancel()
    this.#atMs = deadlineMs
    this.#cancel = this.#clock.after(deadlineMs - this.#clock.now() + deadlineGrainMs, () => this.#fire())
  }

  stop(): void {
    this.#cancel()
    this.#atMs = Number.POSITIVE_INFINITY
  }

  #fire(): void {
    this.#atMs = Number.POSITIVE_INFINITY
    const next = this.#due(this.#clock.now())
    if (next !== undefined) this.schedule(next)
  }
}
