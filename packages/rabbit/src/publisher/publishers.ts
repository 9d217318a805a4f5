import { AsyncLocalStorage } from 'node:async_hooks'
import { type Clock, formatEndpoint, type HaError, type Link } from '@ha/core'
import { ActiveTime, leaseOf, linkedController, Notifier, withDeadline } from '@ha/core/driver'
import type { AmqpConnection } from '../driver/connection.ts'
import { rabbitError } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'
import type { DeclaredTopology } from '../topology/declare.ts'
import { publishChannelDeclaration } from './confirm-channel.ts'
import { fail, type UnconfirmedCounts } from './message-queue.ts'
import { PublishBuffer } from './publish-buffer.ts'
import { PublishChannel, type PublishConnection } from './publish-channel.ts'
import { droppedForNewer } from './publish-errors.ts'
import {
  ConfirmedPublisher,
  type Publisher,
  type PublisherOwner,
  type PublisherSettings,
} from './publisher.ts'
import type { RouteRole } from './route-channels.ts'
import { Suspects } from './suspects.ts'

interface PublishersDeps {
  readonly clock: Clock
  readonly options: ResolvedOptions
  readonly link: Link<AmqpConnection>
  readonly topology: DeclaredTopology
  /** Prefix of message ids, unique to this client. */
  readonly idPrefix: string
  readonly onStalled: (unconfirmed: number, forMs: number) => void
  readonly onRejected: PublishConnection['onRejected']
  readonly onRefused: PublishConnection['onRefused']
}

/** All publishers of a client: they share one connection, and each has a confirm channel of its own. */
export class Publishers implements PublisherOwner {
  readonly #deps: PublishersDeps
  readonly #scope = linkedController()
  readonly #channels: PublishChannel[] = []
  readonly #settled = new Notifier()
  readonly #deadlines: DeadlineTimer
  readonly #connection: PublishConnection
  readonly buffer: PublishBuffer
  #isOpen = true
  #created = 0
  #confirmed = 0
  #replayedByClosed = 0
  #answersOfClosed = 0

  constructor(deps: PublishersDeps) {
    this.#deps = deps
    this.buffer = new PublishBuffer(deps.options.outbox)
    this.#connection = {
      unavailableReason: () => deps.link.unavailableReason(),
      suspects: new Suspects(deps.clock, this.#channels),
      onRejected: deps.onRejected,
      onRefused: deps.onRefused,
    }
    this.#deadlines = new DeadlineTimer(deps.clock, (nowMs) => this.#expire(nowMs))
    deps.link.events.on('state', ({ kind }) => this.#onState(kind === 'suspended'))
    runInBackground(this.#followTopology())
    runInBackground(this.#detectStalls())
  }

  /** Number of messages that were queued again after a loss or a nack, so far. */
  get replayed(): number {
    return this.#replayedByClosed + sum(this.#channels, (channel) => channel.replayed)
  }

  /** Number of messages that were sent and not confirmed. */
  get unconfirmed(): number {
    return sum(this.#channels, (channel) => channel.unconfirmed)
  }

  get confirmed(): number {
    return this.#confirmed
  }

  createPublisher<T>(settings: PublisherSettings<T>): Publisher<T> {
    const { clock, link, idPrefix } = this.#deps
    this.#created += 1
    const channel = this.#openChannel(`publisher ${this.#created}`, settings.maxInFlight)
    link.start()
    return new ConfirmedPublisher(settings, {
      clock,
      channel,
      buffer: this.buffer,
      idPrefix: `${idPrefix}-${this.#created}`,
      owner: this,
    })
  }

  checkOpen(): void {
    if (!this.#isOpen) throw closedError()
  }

  scheduleDeadline(deadlineMs: number): void {
    this.#deadlines.schedule(deadlineMs)
  }

  onSettled(confirmed: boolean): void {
    if (confirmed) this.#confirmed += 1
    this.#settled.notifyAll()
  }

  returnsAreReliable(exchange: string): boolean {
    return this.#deps.topology.returnsAreReliable(exchange)
  }

  // All publishers share the buffer, so the oldest message of all of them makes room.
  dropOldest(): boolean {
    const oldest = this.#channels
      .map((channel) => channel.oldestUnsent)
      .filter((entry) => entry !== undefined)
      .sort((a, b) => a.acceptedAtMs - b.acceptedAtMs)[0]
    if (oldest === undefined) return false
    fail(oldest, droppedForNewer(oldest))
    return true
  }

  async closeChannel(
    channel: PublishChannel,
    isIdle: () => boolean,
    timeoutMs: number,
  ): Promise<UnconfirmedCounts> {
    await this.#waitUntil(isIdle, timeoutMs)
    const total = { unknown: 0, notSent: 0 }
    for (const one of [channel, ...channel.routes]) {
      const { unknown, notSent } = this.#endChannel(one)
      total.unknown += unknown
      total.notSent += notSent
    }
    return total
  }

  #endChannel(channel: PublishChannel): UnconfirmedCounts {
    this.#deps.link.desiredState.forget(channel.key)
    const unconfirmed = channel.end()
    const index = this.#channels.indexOf(channel)
    if (index >= 0) this.#channels.splice(index, 1)
    this.#replayedByClosed += channel.replayed
    this.#answersOfClosed += channel.answers
    return unconfirmed
  }

  /** Sends nothing more on this connection, and waits up to `timeoutMs` for the confirms of what was sent. */
  async drainBeforeMove(timeoutMs: number): Promise<void> {
    for (const channel of this.#channels) channel.pause('moving')
    await this.#waitUntil(() => this.unconfirmed === 0, timeoutMs)
  }

  /**
   * Takes no more messages and waits until all are settled, up to `timeoutMs` or until the signal fires; then fails
   * and counts the rest. A publish that already waits for room is still accepted.
   */
  async drain(timeoutMs: number, signal: AbortSignal): Promise<UnconfirmedCounts> {
    this.#isOpen = false
    await this.#waitUntil(() => this.buffer.messages === 0 && this.buffer.waiting === 0, timeoutMs, signal)
    this.buffer.close(closedError())
    const total = { unknown: 0, notSent: 0 }
    for (const channel of this.#channels) {
      const { unknown, notSent } = channel.end()
      total.unknown += unknown
      total.notSent += notSent
    }
    this.#deadlines.stop()
    this.#connection.suspects.stop()
    this.#scope.abort(closedError())
    return total
  }

  async #waitUntil(isDone: () => boolean, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const expired = (): HaError => rabbitError('timed-out', 'messages are still unconfirmed')
    try {
      await withDeadline(this.#deps.clock, { timeoutMs, signal, expired }, async (inner) => {
        while (!isDone()) await this.#settled.wait(inner)
      })
    } catch {
      // The deadline has passed: the caller handles the remaining messages.
    }
  }

  #openChannel(key: string, maxInFlight: number, route?: RouteRole): PublishChannel {
    const { clock, link, topology, options } = this.#deps
    const channel = new PublishChannel(
      { key, clock, maxInFlight, topology, connection: this.#connection },
      route ?? {
        kind: 'publisher',
        openRoute: (role) => this.#openChannel(`${key}, ${routeText(role.name)}`, maxInFlight, role),
        closeRoute: (closed) => this.#endChannel(closed),
      },
    )
    this.#channels.push(channel)
    if (link.state.kind === 'suspended') channel.pause('blocked')
    link.desiredState.declare(publishChannelDeclaration(channel, link, options.declareTimeoutMs))
    return channel
  }

  #onState(isBlocked: boolean): void {
    for (const channel of this.#channels) {
      if (isBlocked) channel.pause('blocked')
      else channel.resume('blocked')
    }
  }

  #expire(nowMs: number): number | undefined {
    const deadlines = this.#channels
      .map((channel) => channel.expire(nowMs))
      .filter((deadline) => deadline !== undefined)
    return deadlines.length === 0 ? undefined : Math.min(...deadlines)
  }

  async #followTopology(): Promise<void> {
    for (;;) {
      await this.#deps.topology.changed(this.#scope.signal)
      for (const channel of this.#channels) channel.resume('topology')
    }
  }

  #detectStalls(): Promise<void> {
    const { clock, link, options, onStalled } = this.#deps
    const progress = (): Omit<ConfirmProgress, 'activeMs'> | undefined => {
      if (link.state.kind !== 'ready') return undefined
      const answers = this.#answersOfClosed + sum(this.#channels, (channel) => channel.answers)
      return { answers, unconfirmed: this.unconfirmed }
    }
    const onStall = (unconfirmed: number, forMs: number): void => {
      onStalled(unconfirmed, forMs)
      const lease = leaseOf(link.state)
      if (lease !== undefined) link.fail(lease, stalledError(formatEndpoint(lease.endpoint), forMs), forMs)
    }
    const { confirmStallMs } = options.liveness
    return detectStalls({ clock, confirmStallMs, progress, onStall }, this.#scope.signal)
  }
}

// The name of a route has its exchange and its key, separated by NUL.
function routeText(name: string): string {
  const [exchange = '', key] = name.split('\0')
  return key === undefined || key === ''
    ? `exchange '${exchange}'`
    : `exchange '${exchange}' with key '${key}'`
}

// Both loops reject when the client is closed; that is not an error.
function runInBackground(loop: Promise<unknown>): void {
  loop.catch(() => undefined)
}

function sum(channels: readonly PublishChannel[], of: (channel: PublishChannel) => number): number {
  return channels.reduce((total, channel) => total + of(channel), 0)
}

function stalledError(endpoint: string, forMs: number): HaError {
  const message = `${endpoint} has confirmed nothing for ${forMs} ms`
  return rabbitError('stalled', message, { endpoint, retryable: true, outcome: 'unknown' })
}

function closedError(): HaError {
  return rabbitError('closed', 'the client takes no more messages')
}

/** How long the broker has answered no publish, and the limit for that. */
interface StallState {
  readonly answers: number
  readonly forMs: number
  readonly limitMs: number
}

interface ConfirmProgress {
  readonly answers: number
  readonly unconfirmed: number
  readonly activeMs: number
}

// When no node of the cluster can confirm, frequent moves between nodes only add load.
const maxLimitMs = 60_000

/** No stall yet. */
export function noStall(answers: number, limitMs: number): StallState {
  return { answers, forMs: 0, limitMs }
}

/** Folds one tick: any answer ends the stall, and so does an empty channel. */
export function observeProgress(stall: StallState, progress: ConfirmProgress, limitMs: number): StallState {
  if (progress.answers !== stall.answers || progress.unconfirmed === 0)
    return noStall(progress.answers, limitMs)
  return { ...stall, forMs: stall.forMs + progress.activeMs }
}

/** Whether to try another node. */
export function isStalled(stall: StallState): boolean {
  return stall.forMs >= stall.limitMs
}

/** After a move, the limit is doubled. */
function afterMove(stall: StallState): StallState {
  return { ...stall, forMs: 0, limitMs: Math.min(stall.limitMs * 2, maxLimitMs) }
}

interface StallDetectorDeps {
  readonly clock: Clock
  readonly confirmStallMs: number
  /** The progress of all publishers together; undefined without a connection. */
  readonly progress: () => Omit<ConfirmProgress, 'activeMs'> | undefined
  readonly onStall: (unconfirmed: number, forMs: number) => void
}

/** Detects a node that answers probes and no publishes, until the signal fires. */
export async function detectStalls(watch: StallDetectorDeps, signal: AbortSignal): Promise<void> {
  const { clock, confirmStallMs, progress, onStall } = watch
  if (confirmStallMs === Number.POSITIVE_INFINITY) return
  const tickMs = confirmStallMs / 16
  const activeTime = new ActiveTime(clock, tickMs)
  let stall = noStall(0, confirmStallMs)
  for (;;) {
    await clock.sleep(tickMs, signal)
    const activeMs = activeTime.tick()
    const now = progress()
    if (now === undefined) continue
    stall = observeProgress(stall, { ...now, activeMs }, confirmStallMs)
    if (!isStalled(stall)) continue
    onStall(now.unconfirmed, Math.round(stall.forMs))
    stall = afterMove(stall)
  }
}

// Precision of deadlines. There is one timer for all messages instead of one for each.
const deadlineGrainMs = 50

/** One timer for the deadlines of all messages. */
class DeadlineTimer {
  readonly #clock: Clock
  /** Fails the messages that are due and returns the next deadline. */
  readonly #onDue: (nowMs: number) => number | undefined
  // The message that sets the timer may be confirmed minutes before it fires.
  readonly #inOwnContext = AsyncLocalStorage.snapshot()
  #atMs = Number.POSITIVE_INFINITY
  #cancel: () => void = () => undefined

  constructor(clock: Clock, onDue: (nowMs: number) => number | undefined) {
    this.#clock = clock
    this.#onDue = onDue
  }

  /** Makes sure that `onDue` is called soon after this deadline. */
  schedule(deadlineMs: number): void {
    if (deadlineMs >= this.#atMs) return
    this.#cancel()
    this.#atMs = deadlineMs
    const ms = deadlineMs - this.#clock.now() + deadlineGrainMs
    this.#cancel = this.#inOwnContext(() => this.#clock.after(ms, () => this.#fire()))
  }

  stop(): void {
    this.#cancel()
    this.#atMs = Number.POSITIVE_INFINITY
  }

  #fire(): void {
    this.#atMs = Number.POSITIVE_INFINITY
    const next = this.#onDue(this.#clock.now())
    if (next !== undefined) this.schedule(next)
  }
}
