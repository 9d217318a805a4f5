import { type Clock, type Declaration, formatEndpoint, type Link } from '@ha/core'
import { rabbitChannels } from '../client-events.ts'
import { type GuardedChannel, openConfirmChannel } from '../driver/channel.ts'
import type { AmqpConnection } from '../driver/connection.ts'
import type { ConfirmChannel, Message } from '../driver/types.ts'
import { rabbitError } from '../errors.ts'
import { confirm, fail, MessageQueue, type PublishEntry, type UnconfirmedCounts } from './message-queue.ts'
import {
  clientClosed,
  connectionLost,
  deadlineExceeded,
  nacked,
  notEncodable,
  rejectOffending,
  unroutable,
} from './publish-errors.ts'

/** Why a lane sends nothing for now. */
type PauseReason = 'blocked' | 'buffer-full' | 'moving' | 'topology'

interface PublishChannelDeps {
  readonly clock: Clock
  /** How many messages may be unconfirmed at once. */
  readonly maxInFlight: number
  /** True when what the entry is published to is known to be there, or nothing more can be done about it. */
  readonly routeReady: (entry: PublishEntry) => boolean
  /** Called when the broker found no queue for a message. */
  readonly onUnroutable: (entry: PublishEntry) => void
  /** Called when the broker says that an exchange is missing; true when it will be declared again. */
  readonly onExchangeMissing: (exchange: string) => boolean
}

// Until a channel has confirmed something, it gets no more than this. A channel that hangs in RabbitMQ with 400 messages
// before it stops the whole connection ("flow"), so that no other channel can be opened on it.
const unprovenWindow = 64

// A channel that refused for good is kept for so long: full queues are no reason to open one for each message, and a
// channel that refuses for no good reason is not kept for ever.
const minRefusingChannelAgeMs = 1_000

/** The messages of one publisher on their way through one confirm channel after the other, in order. */
export class PublishChannel {
  readonly #deps: PublishChannelDeps
  readonly #entries = new MessageQueue()
  readonly #pauses = new Set<PauseReason>()
  readonly #nackBackoff: NackBackoff
  readonly #refusedRoutes = new RefusedRoutes()
  #channel: ConfirmChannelHandle | undefined
  #openedAtMs = 0
  /** The channel has confirmed something. */
  #hasConfirmed = false
  /** The channel has nacked: it gets nothing more, and is left when it has answered for what it was sent. */
  #isRefusing = false
  /** How many are still to be sent one by one, to find out which of them the broker refuses. */
  #suspects = 0
  /** Counts the broker's answers: how a stall is told from a refusal. */
  confirms = 0

  constructor(options: PublishChannelDeps) {
    this.#deps = options
    this.#nackBackoff = new NackBackoff(options.clock)
  }

  /** Sent and not confirmed. */
  get unconfirmed(): number {
    const { inFlight, nacked: refused, waiting } = this.#entries
    return inFlight.length + refused.length + (this.#nackBackoff.active ? waiting.length : 0)
  }

  /** How many messages were put back to be sent again. */
  get replayed(): number {
    return this.#entries.replayed
  }

  accept(entry: PublishEntry): void {
    this.#entries.waiting.add(entry)
    this.sendReady()
  }

  /** Goes on with a channel that has just been opened. */
  open(channel: ConfirmChannelHandle): void {
    this.#channel = channel
    this.#openedAtMs = this.#deps.clock.now()
    this.#hasConfirmed = false
    this.#pauses.delete('buffer-full')
    this.#pauses.delete('moving')
    listenToChannel(channel.guard, () => this.#channel === channel, {
      onAck: (deliveryTag, multiple) => this.#onAck(deliveryTag, multiple),
      onNack: (deliveryTag, multiple) => this.#onNack(deliveryTag, multiple),
      onReturn: (message) => this.#onReturn(message),
      onDrain: () => this.resume('buffer-full'),
      onClosed: (reason) => this.#onDone(reason, 'over'),
    })
    this.sendReady()
  }

  /** Stops sending for a reason. */
  pause(hold: PauseReason): void {
    this.#pauses.add(hold)
  }

  /** Takes a reason away. */
  resume(hold: PauseReason): void {
    if (this.#pauses.delete(hold)) this.sendReady()
  }

  /** Fails everything that is over its deadline at `nowMs`; returns the next deadline. */
  expire(nowMs: number): number | undefined {
    return this.#entries.expire(nowMs, (entry) => deadlineExceeded(entry, nowMs, this.#pauseDescription()))
  }

  /** Fails everything that is left, with what is known of each, and lets its channel go. */
  end(): UnconfirmedCounts {
    this.#nackBackoff.reset()
    const guard = this.#channel?.guard
    // First: its end is no loss that somebody should mend.
    this.#channel = undefined
    guard?.discard()
    return this.#entries.failAll(clientClosed)
  }

  /** The oldest message that was never sent, or undefined. */
  get oldestUnsent(): PublishEntry | undefined {
    return this.#entries.waiting.peekUnsent()
  }

  /** Sends as much as may be sent. */
  sendReady(): void {
    const { waiting, inFlight } = this.#entries
    if (this.#channel === undefined || this.#pauses.size > 0 || this.#isRefusing) return
    const window = this.#window()
    while (inFlight.length < window) {
      const entry = waiting.peek()
      if (entry === undefined) return
      if (!this.#deps.routeReady(entry)) {
        this.pause('topology')
        return
      }
      waiting.take()
      if (!this.#send(entry, this.#channel.guard)) return
    }
  }

  #window(): number {
    if (this.#nackBackoff.active || this.#suspects > 0) return 1
    return this.#hasConfirmed ? this.#deps.maxInFlight : Math.min(unprovenWindow, this.#deps.maxInFlight)
  }

  // False when the channel takes no more for now.
  #send(entry: PublishEntry, { channel, closed: over }: GuardedChannel<ConfirmChannel>): boolean {
    try {
      const goOn = channel.publish(entry.exchange, entry.key, entry.content, entry.properties)
      this.#entries.inFlight.add(entry)
      this.#nackBackoff.awaitConfirm(() => this.#discard('hanging'))
      if (!goOn) this.pause('buffer-full')
      return goOn
    } catch (cause) {
      if (isClosed(cause) || over.aborted) {
        this.#entries.waiting.putBack([entry])
        return false
      }
      // The driver encodes before it writes: nothing of this message is on its way.
      fail(entry, notEncodable(entry, cause))
      return true
    }
  }

  #onAck(deliveryTag: number, multiple: boolean): void {
    const nowMs = this.#deps.clock.now()
    const endpoint = this.#channel?.endpoint ?? ''
    this.confirms += 1
    this.#hasConfirmed = true
    for (const entry of this.#takeSettled(deliveryTag, multiple)) {
      this.#refusedRoutes.onAck(entry)
      if (entry.returned === undefined) confirm(entry, endpoint, nowMs)
      else {
        fail(entry, unroutable(entry))
        this.#deps.onUnroutable(entry)
      }
    }
    this.#afterConfirm()
  }

  #onNack(deliveryTag: number, multiple: boolean): void {
    const nowMs = this.#deps.clock.now()
    let mayPass = false
    for (const entry of this.#takeSettled(deliveryTag, multiple)) {
      const forGood = this.#refusedRoutes.onNack(entry, nowMs)
      if (entry.repeatable && !forGood) this.#entries.nacked.push(entry)
      else fail(entry, nacked(entry))
      mayPass ||= !forGood
    }
    this.confirms += 1
    if (mayPass) this.#nackBackoff.start()
    this.#isRefusing ||= mayPass || nowMs - this.#openedAtMs >= minRefusingChannelAgeMs
    if (this.#isRefusing) this.#nackBackoff.awaitConfirm(() => this.#discard('refusing'))
    this.#afterConfirm()
  }

  #takeSettled(deliveryTag: number, multiple: boolean): readonly PublishEntry[] {
    const answered = this.#entries.inFlight.settled(deliveryTag, multiple)
    this.#suspects = Math.max(0, this.#suspects - answered.length)
    return answered
  }

  #afterConfirm(): void {
    if (this.#isRefusing) {
      if (this.#entries.inFlight.length === 0) this.#discard('refusing')
      return
    }
    this.#nackBackoff.reset()
    this.sendReady()
  }

  #onReturn({ fields, properties }: Message): void {
    const { exchange, routingKey, replyCode, replyText } = fields as ReturnFields
    const entry = this.#entries.inFlight.find({ exchange, key: routingKey, messageId: properties.messageId })
    if (entry !== undefined) entry.returned = `${String(replyCode)} ${String(replyText)}`
  }

  #discard(how: Exclude<ChannelEnd, 'over'>): void {
    const guard = this.#channel?.guard
    const code = how === 'refusing' ? 'nacked' : 'stalled'
    this.#onDone(rabbitError(code, `the channel is ${how}`, { outcome: 'unknown', retryable: true }), how)
    guard?.discard()
  }

  // The channel is of no more use: what it did not confirm goes back to the front, in order.
  #onDone(error: Error, how: ChannelEnd): void {
    const channel = this.#channel
    if (channel === undefined) return
    this.#channel = undefined
    this.#isRefusing = false
    this.#nackBackoff.stopWaiting()
    const taken = this.#entries.takeUnconfirmed()
    // An exchange of the topology is declared again, and what was published to it goes again.
    this.#suspects = rejectOffending(taken, error, this.#deps.onExchangeMissing)
    this.#entries.putBack(taken, connectionLost)
    channel.onDone(error, how)
  }

  #pauseDescription(): string {
    if (this.#channel === undefined) return ' (no channel)'
    return this.#pauses.size === 0 ? '' : ` (held: ${[...this.#pauses].join(', ')})`
  }
}

function isClosed(error: unknown): boolean {
  return (error as { name?: unknown }).name === 'IllegalOperationError'
}

/** Why a lane has no more use for a channel. */
type ChannelEnd = 'over' | 'refusing' | 'hanging'

/** A confirm channel as a lane uses it. */
interface ConfirmChannelHandle {
  readonly guard: GuardedChannel<ConfirmChannel>
  /** The node, as `host:port`. */
  readonly endpoint: string
  /** Called once, when the lane has no more use for it: it is over, it refuses messages, or it hangs. */
  readonly onDone: (error: Error, how: ChannelEnd) => void
}

/** What a channel says, to whom it belongs. */
interface ChannelListener {
  readonly onAck: (deliveryTag: number, multiple: boolean) => void
  readonly onNack: (deliveryTag: number, multiple: boolean) => void
  readonly onReturn: (message: Message) => void
  readonly onDrain: () => void
  readonly onClosed: (reason: Error) => void
}

/** What the broker says of a message that it gives back. */
interface ReturnFields {
  readonly exchange: string
  readonly routingKey: string
  readonly replyCode?: unknown
  readonly replyText?: unknown
}

/** Passes on what a channel says while `isCurrent`: afterwards it is about messages that go another way. */
function listenToChannel(
  { channel, closed: over }: GuardedChannel<ConfirmChannel>,
  isCurrent: () => boolean,
  listener: ChannelListener,
): void {
  channel.on('ack', ({ deliveryTag, multiple }) => {
    if (isCurrent()) listener.onAck(deliveryTag, multiple)
  })
  channel.on('nack', ({ deliveryTag, multiple }) => {
    if (isCurrent()) listener.onNack(deliveryTag, multiple)
  })
  channel.on('return', (message) => {
    if (isCurrent()) listener.onReturn(message)
  })
  channel.on('drain', () => {
    if (isCurrent()) listener.onDrain()
  })
  const onOver = (): void => {
    if (isCurrent()) listener.onClosed(over.reason)
  }
  over.addEventListener('abort', onOver, { once: true })
}

/** A confirm channel for a lane, opened on every connection, and again whenever the lane has no more use for it. */
export function publishChannelDeclaration(
  key: string,
  lane: PublishChannel,
  link: Link<AmqpConnection>,
  timeoutMs: number,
): Declaration<AmqpConnection> {
  const apply = async (connection: AmqpConnection, signal: AbortSignal): Promise<void> => {
    const guard = await openConfirmChannel(connection, signal)
    guard.closed.throwIfAborted()
    const onDone: ConfirmChannelHandle['onDone'] = (error, how) => {
      const over = connection.closed.aborted
      if (rabbitChannels.laneLost.hasSubscribers)
        rabbitChannels.laneLost.publish({ lane: key, how, error, connectionOver: over })
      // With its connection gone, the link puts everything back by itself. What hangs was waited for already.
      if (!over) link.lapse(key, error, { paced: how === 'hanging' })
    }
    lane.open({ guard, endpoint: formatEndpoint(connection.endpoint), onDone })
  }
  return { key, needs: [], gates: false, survives: false, timeoutMs, apply }
}

// The first confirm of a healthy cluster takes a few milliseconds, an election a second or two, a failed one five more.
// So tries are frequent at first and then about one a second; in the end a broker that is merely slow gets its time.
const firstTimeoutMs = 100
const electionTimeoutMs = 1_000
const electionTries = 15
const maxTimeoutMs = 60_000

/** How long the answer on try number `tries` (from 0) is waited for, in milliseconds. */
function confirmTimeoutMs(tries: number): number {
  const eager = Math.min(firstTimeoutMs * 1.5 ** tries, electionTimeoutMs)
  return Math.min(eager * 1.5 ** Math.max(0, tries - electionTries), maxTimeoutMs)
}

/**
 * How a lane behaves after a nack. A channel that begins while a quorum queue elects its leader either nacks
 * everything for as long as it lives or hangs for seven seconds (RabbitMQ 3.10), though a new channel would do a moment
 * later. So one message at a time goes out, on one fresh channel after the other, until one is taken.
 */
class NackBackoff {
  readonly #clock: Clock
  /** Undefined: no reason for caution. */
  #tries: number | undefined
  #cancel: () => void = () => undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get active(): boolean {
    return this.#tries !== undefined
  }

  /** A message was nacked. */
  start(): void {
    this.#cancel()
    this.#tries ??= 0
  }

  /** One message is on its way; `onHung` is called when its answer takes too long. */
  awaitConfirm(onHung: () => void): void {
    const tries = this.#tries
    if (tries === undefined) return
    this.#cancel()
    this.#cancel = this.#clock.after(confirmTimeoutMs(tries), () => {
      this.#tries = tries + 1
      onHung()
    })
  }

  /** The channel is over: nothing on it is waited for. */
  stopWaiting(): void {
    this.#cancel()
  }

  /** The broker has taken a message. */
  reset(): void {
    this.#cancel()
    this.#tries = undefined
  }
}

// A nack means either that a queue has no leader for the moment or that it wants no more (`reject-publish`). An
// election is over after a second or two, and a failed one is held again after five. It stays below `confirmStallMs`:
// no node is left because a queue is full.
const electionMs = 7_000

// Routes come from the application and may be made up for each message.
const maxRoutes = 1_000

interface RouteTarget {
  readonly exchange: string
  readonly key: string
}

/** Routes whose messages the broker nacks, and since when: an election passes, a full queue does not. */
export class RefusedRoutes {
  readonly #sinceMs = new Map<string, number>()

  /** Notes a nack; true when the route has been refused for longer than an election takes. */
  onNack(target: RouteTarget, nowMs: number): boolean {
    const route = routeOf(target)
    const sinceMs = this.#sinceMs.get(route)
    if (sinceMs !== undefined) return nowMs - sinceMs >= electionMs
    const [oldest] = this.#sinceMs.keys()
    if (this.#sinceMs.size >= maxRoutes && oldest !== undefined) this.#sinceMs.delete(oldest)
    this.#sinceMs.set(route, nowMs)
    return false
  }

  /** Notes that the broker took a message. */
  onAck(target: RouteTarget): void {
    if (this.#sinceMs.size > 0) this.#sinceMs.delete(routeOf(target))
  }
}

function routeOf({ exchange, key }: RouteTarget): string {
  return `${exchange}\0${key}`
}
