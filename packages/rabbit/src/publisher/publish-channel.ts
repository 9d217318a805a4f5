import { type Clock, type Declaration, formatEndpoint, type Link } from '@ha/core'
import { rabbitChannels } from '../client-events.ts'
import { type GuardedChannel, openConfirmChannel } from '../driver/channel.ts'
import type { AmqpConnection } from '../driver/connection.ts'
import type { ConfirmChannel, Message } from '../driver/types.ts'
import { rabbitError } from '../errors.ts'
import type { DeclaredTopology } from '../topology/declare.ts'
import { confirm, fail, MessageQueue, type PublishEntry, type UnconfirmedCounts } from './message-queue.ts'
import {
  clientClosed,
  connectionLost,
  deadlineExceeded,
  headerTooLarge,
  nacked,
  notEncodable,
  rejectOffending,
  unroutable,
} from './publish-errors.ts'

/** Why a publish channel sends nothing for now. */
type PauseReason = 'blocked' | 'buffer-full' | 'moving' | 'nacked' | 'topology'

interface PublishChannelDeps {
  /** The key of its declaration. */
  readonly key: string
  readonly clock: Clock
  /** Maximum number of unconfirmed messages. */
  readonly maxInFlight: number
  readonly topology: DeclaredTopology
  /** Why there is no connection; undefined when there is one. */
  readonly unavailableReason: () => Error | undefined
}

// The window of a channel before its first confirm. With 400 messages in a channel that hangs, RabbitMQ puts the whole
// connection into flow control, and no other channel can be opened on it.
const unprovenWindow = 64

// Messages in the buffer of the driver count as sent: when the connection is lost, their outcome is unknown. So the buffer
// is bounded, to less than the send buffer of a socket may hold.
const maxDriverBytes = 1024 * 1024

// Minimum age of a channel before it is replaced because a route stays refused. Opening a channel for each message to a
// full queue would be costly, and a channel that nacks without such a reason is to be replaced eventually.
const minRefusingChannelAgeMs = 1_000

/**
 * Sends the messages of one publisher, in order, on a confirm channel. When that channel is lost, the messages without a
 * confirm are sent again on the next one.
 */
export class PublishChannel {
  readonly key: string
  readonly #deps: PublishChannelDeps
  readonly #messages = new MessageQueue()
  readonly #pauses = new Set<PauseReason>()
  readonly #nackBackoff: NackBackoff
  readonly #refusedRoutes = new RefusedRoutes()
  // One function for all messages: `send` runs for each of them.
  readonly #onHanging = (): void => this.#discard('hanging')
  #channel: ConfirmChannelHandle | undefined
  #openedAtMs = 0
  /** Whether the current channel has confirmed a message. */
  #hasConfirmed = false
  /** The current channel has nacked: nothing more is sent on it, and it is closed after the answers to the rest. */
  #isRefusing = false
  /** Number of messages to be sent one by one, to find the one that the broker closes the channel for. */
  #suspects = 0
  #cancelNackPause: () => void = () => undefined
  /** What was given to the driver since it first asked for a pause, in bytes. */
  #driverBytes = 0
  /** Number of answers, acks and nacks: this distinguishes a stall from refusals. */
  answers = 0

  constructor(deps: PublishChannelDeps) {
    this.key = deps.key
    this.#deps = deps
    this.#nackBackoff = new NackBackoff(deps.clock)
  }

  /** Number of messages that were sent and not confirmed. */
  get unconfirmed(): number {
    const { inFlight, nacked: nackedEntries, waiting } = this.#messages
    return inFlight.length + nackedEntries.length + (this.#nackBackoff.active ? waiting.length : 0)
  }

  /** Number of messages that were queued again. */
  get replayed(): number {
    return this.#messages.replayed
  }

  /** Sends the message, or queues it when it has to wait. */
  accept(entry: PublishEntry): void {
    const { waiting } = this.#messages
    const channel = waiting.length === 0 ? this.#channelFor(entry) : undefined
    if (channel !== undefined) {
      this.#send(entry, channel)
      return
    }
    waiting.add(entry)
    this.#sendReady()
  }

  /** Continues with a channel that has just been opened. */
  open(channel: ConfirmChannelHandle): void {
    this.#channel = channel
    this.#openedAtMs = this.#deps.clock.now()
    this.#hasConfirmed = false
    this.#driverBytes = 0
    this.#pauses.delete('buffer-full')
    this.#pauses.delete('moving')
    listenToChannel(channel.guard, () => this.#channel === channel, {
      onAck: (deliveryTag, multiple) => this.#onAck(deliveryTag, multiple),
      onNack: (deliveryTag, multiple) => this.#onNack(deliveryTag, multiple),
      onReturn: (message) => this.#onReturn(message),
      onDrain: () => this.#onDrain(),
      onClosed: (reason) => this.#onDone(reason, 'over'),
    })
    this.#sendReady()
  }

  /** Stops sending. */
  pause(reason: PauseReason): void {
    this.#pauses.add(reason)
  }

  /** Removes a reason to pause; without any, sending continues. */
  resume(reason: PauseReason): void {
    if (this.#pauses.delete(reason)) this.#sendReady()
  }

  /** Fails the messages whose deadline is before `nowMs`; returns the next deadline. */
  expire(nowMs: number): number | undefined {
    return this.#messages.expire(nowMs, (entry) => deadlineExceeded(entry, nowMs, this.#obstacle()))
  }

  /** Fails the remaining messages, with the outcome of each, and closes the channel. */
  end(): UnconfirmedCounts {
    this.#nackBackoff.reset()
    this.#cancelNackPause()
    const guard = this.#channel?.guard
    // Before the discard, so that the end of the channel does not count as a loss.
    this.#channel = undefined
    guard?.discard()
    return this.#messages.failAll(clientClosed)
  }

  /** The oldest message that was never sent, or undefined. */
  get oldestUnsent(): PublishEntry | undefined {
    return this.#messages.waiting.peekUnsent()
  }

  // Sends queued messages until the window is full.
  #sendReady(): void {
    const { waiting } = this.#messages
    for (let entry = waiting.peek(); entry !== undefined; entry = waiting.peek()) {
      const channel = this.#channelFor(entry)
      if (channel === undefined) return
      waiting.take()
      // Tracing that wraps the driver sees the span of the caller, and not of whichever answer made room.
      if (!entry.scope.runInAsyncScope(() => this.#send(entry, channel))) return
    }
  }

  // The channel on which a message may be sent now, or undefined.
  #channelFor({ exchange, key }: PublishEntry): ConfirmChannelHandle | undefined {
    const channel = this.#channel
    if (channel === undefined || this.#pauses.size > 0 || this.#isRefusing) return undefined
    if (this.#messages.inFlight.length >= this.#window()) return undefined
    if (this.#deps.topology.isRouteReady(exchange, key)) return channel
    this.pause('topology')
    return undefined
  }

  #window(): number {
    if (this.#nackBackoff.active || this.#suspects > 0) return 1
    return this.#hasConfirmed ? this.#deps.maxInFlight : Math.min(unprovenWindow, this.#deps.maxInFlight)
  }

  // False when the channel accepts no more messages for now.
  #send(entry: PublishEntry, { guard: { channel, closed }, maxHeaderBytes }: ConfirmChannelHandle): boolean {
    if (entry.headerBytes > maxHeaderBytes) {
      fail(entry, headerTooLarge(entry, maxHeaderBytes))
      return true
    }
    try {
      const hasRoom = channel.publish(entry.exchange, entry.key, entry.content, entry.properties)
      this.#messages.inFlight.add(entry)
      this.#nackBackoff.awaitConfirm(this.#onHanging)
      return hasRoom || this.#hasDriverSpace(entry.bytes)
    } catch (cause) {
      if (isClosedError(cause) || closed.aborted) {
        this.#messages.waiting.putBack([entry])
        return false
      }
      // The driver encodes before it writes: nothing of this message was sent.
      fail(entry, notEncodable(entry, cause))
      return true
    }
  }

  // The driver wants a pause after 16 KiB already. More in its buffer means fewer and larger writes to the socket.
  #hasDriverSpace(bytes: number): boolean {
    this.#driverBytes += bytes
    if (this.#driverBytes < maxDriverBytes) return true
    this.pause('buffer-full')
    return false
  }

  #onDrain(): void {
    this.#driverBytes = 0
    this.resume('buffer-full')
  }

  #onAck(deliveryTag: number, multiple: boolean): void {
    const nowMs = this.#deps.clock.now()
    const endpoint = this.#channel?.endpoint ?? ''
    this.answers += 1
    this.#hasConfirmed = true
    for (const entry of this.#takeAnswered(deliveryTag, multiple)) {
      this.#refusedRoutes.onAck(entry)
      if (entry.returned === undefined) confirm(entry, endpoint, nowMs)
      else {
        fail(entry, unroutable(entry))
        this.#deps.topology.recheck(entry.exchange, entry.key)
      }
    }
    this.#afterAnswer()
  }

  #onNack(deliveryTag: number, multiple: boolean): void {
    const nowMs = this.#deps.clock.now()
    let isTransient = false
    for (const entry of this.#takeAnswered(deliveryTag, multiple)) {
      const isPermanent = this.#refusedRoutes.onNack(entry, nowMs)
      entry.nacks += 1
      if (entry.exchange !== '' && !isPermanent) this.#pauseAfterNack(entry.nacks)
      if (entry.repeatable && !isPermanent) this.#messages.nacked.push(entry)
      else fail(entry, nacked(entry))
      isTransient ||= !isPermanent
    }
    this.answers += 1
    if (isTransient) this.#nackBackoff.start()
    this.#isRefusing ||= isTransient || nowMs - this.#openedAtMs >= minRefusingChannelAgeMs
    if (this.#isRefusing) this.#nackBackoff.awaitConfirm(() => this.#discard('refusing'))
    this.#afterAnswer()
  }

  // An exchange may have given the message to other queues: each attempt stores another copy there.
  #pauseAfterNack(nacks: number): void {
    const delayMs = nackDelaysMs[Math.min(nacks, nackDelaysMs.length) - 1] ?? 0
    this.pause('nacked')
    this.#cancelNackPause()
    this.#cancelNackPause = this.#deps.clock.after(delayMs, () => this.resume('nacked'))
  }

  #takeAnswered(deliveryTag: number, multiple: boolean): readonly PublishEntry[] {
    const answered = this.#messages.inFlight.takeAnswered(deliveryTag, multiple)
    this.#suspects = Math.max(0, this.#suspects - answered.length)
    return answered
  }

  #afterAnswer(): void {
    if (this.#isRefusing) {
      if (this.#messages.inFlight.length === 0) this.#discard('refusing')
      return
    }
    this.#nackBackoff.reset()
    this.#sendReady()
  }

  #onReturn({ fields, properties }: Message): void {
    const { exchange, routingKey, replyCode, replyText } = fields as ReturnFields
    const entry = this.#messages.inFlight.find({ exchange, key: routingKey, messageId: properties.messageId })
    if (entry !== undefined) entry.returned = `${String(replyCode)} ${String(replyText)}`
  }

  #discard(how: Exclude<ChannelEnd, 'over'>): void {
    const guard = this.#channel?.guard
    const code = how === 'refusing' ? 'nacked' : 'stalled'
    this.#onDone(rabbitError(code, `the channel is ${how}`, { outcome: 'unknown', retryable: true }), how)
    guard?.discard()
  }

  // Moves the unconfirmed messages of the channel back to the front of the queue, in order.
  #onDone(error: Error, how: ChannelEnd): void {
    const channel = this.#channel
    if (channel === undefined) return
    this.#channel = undefined
    this.#isRefusing = false
    this.#nackBackoff.stopWaiting()
    const unconfirmed = this.#messages.takeUnconfirmed()
    // A missing exchange of the topology is declared again, and its messages are sent again.
    this.#suspects = rejectOffending(unconfirmed, error, (exchange) =>
      this.#deps.topology.redeclareExchange(exchange),
    )
    this.#messages.putBack(unconfirmed, connectionLost)
    channel.onDone(error, how)
  }

  // What messages are waiting for.
  #obstacle(): { readonly text: string; readonly cause: Error | undefined } {
    const cause = this.#deps.unavailableReason()
    if (cause !== undefined) return { text: ` (no connection: ${cause.message})`, cause }
    if (this.#channel === undefined) return { text: ' (no channel)', cause: undefined }
    const text = this.#pauses.size === 0 ? '' : ` (paused: ${[...this.#pauses].join(', ')})`
    return { text, cause: undefined }
  }
}

function isClosedError(error: unknown): boolean {
  return (error as { name?: unknown }).name === 'IllegalOperationError'
}

/** Why a publish channel replaces its confirm channel: it is closed, it nacks, or it does not answer. */
type ChannelEnd = 'over' | 'refusing' | 'hanging'

/** An open confirm channel. */
interface ConfirmChannelHandle {
  readonly guard: GuardedChannel<ConfirmChannel>
  /** The node, as `host:port`. */
  readonly endpoint: string
  /** The largest content header that fits into a frame: the broker ends the connection over a larger one. */
  readonly maxHeaderBytes: number
  /** Called once, when the publish channel needs another one. */
  readonly onDone: (error: Error, how: ChannelEnd) => void
}

/** The events of a confirm channel. */
interface ChannelListener {
  readonly onAck: (deliveryTag: number, multiple: boolean) => void
  readonly onNack: (deliveryTag: number, multiple: boolean) => void
  readonly onReturn: (message: Message) => void
  readonly onDrain: () => void
  readonly onClosed: (reason: Error) => void
}

/** The fields of basic.return. */
interface ReturnFields {
  readonly exchange: string
  readonly routingKey: string
  readonly replyCode?: unknown
  readonly replyText?: unknown
}

// Forwards the events of a channel while it is the current one. Later events concern messages that are sent elsewhere.
function listenToChannel(
  { channel, closed }: GuardedChannel<ConfirmChannel>,
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
  const onClosed = (): void => {
    if (isCurrent()) listener.onClosed(closed.reason)
  }
  closed.addEventListener('abort', onClosed, { once: true })
}

/** Opens a confirm channel for a publish channel on every connection, and again whenever it needs another one. */
export function publishChannelDeclaration(
  publishChannel: PublishChannel,
  link: Link<AmqpConnection>,
  timeoutMs: number,
): Declaration<AmqpConnection> {
  const { key } = publishChannel
  const apply = async (connection: AmqpConnection, signal: AbortSignal): Promise<void> => {
    const guard = await openConfirmChannel(connection, signal)
    guard.closed.throwIfAborted()
    const onDone: ConfirmChannelHandle['onDone'] = (error, how) => {
      const connectionOver = connection.closed.aborted
      if (rabbitChannels.laneLost.hasSubscribers)
        rabbitChannels.laneLost.publish({ lane: key, how, error, connectionOver })
      // After the loss of a connection, the link repeats all declarations. A channel that hangs has already had its time
      // to answer, so it is replaced without the usual delay.
      if (!connectionOver) link.invalidate(key, error, { paced: how === 'hanging' })
    }
    const endpoint = formatEndpoint(connection.endpoint)
    publishChannel.open({ guard, endpoint, maxHeaderBytes: connection.maxHeaderBytes, onDone })
  }
  return { key, needs: [], gates: false, survives: false, timeoutMs, apply }
}

// The first confirm of a healthy cluster takes a few milliseconds; the election of a leader takes one to two seconds,
// after a failed election five more. So the first timeouts are short, then about one second, and a slow broker finally
// gets longer ones.
const firstTimeoutMs = 100
const electionTimeoutMs = 1_000
const electionTries = 15
const maxTimeoutMs = 60_000

/** The timeout of the answer on try number `tries` (from 0), in milliseconds. */
function confirmTimeoutMs(tries: number): number {
  const electionPaceMs = Math.min(firstTimeoutMs * 1.5 ** tries, electionTimeoutMs)
  return Math.min(electionPaceMs * 1.5 ** Math.max(0, tries - electionTries), maxTimeoutMs)
}

/**
 * The state after a nack. A channel opened while a quorum queue elects its leader nacks everything for its lifetime, or
 * hangs for seven seconds (RabbitMQ 3.10); a channel opened a moment later works. So one message at a time is sent, each
 * on a new channel, until the broker confirms one.
 */
class NackBackoff {
  readonly #clock: Clock
  /** Undefined while there is no back-off. */
  #tries: number | undefined
  #cancel: () => void = () => undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get active(): boolean {
    return this.#tries !== undefined
  }

  /** Starts after a nack. */
  start(): void {
    this.#cancel()
    this.#tries ??= 0
  }

  /** Waits for the answer to one message; `onTimeout` is called when it takes too long. */
  awaitConfirm(onTimeout: () => void): void {
    const tries = this.#tries
    if (tries === undefined) return
    this.#cancel()
    this.#cancel = this.#clock.after(confirmTimeoutMs(tries), () => {
      this.#tries = tries + 1
      onTimeout()
    })
  }

  /** Stops waiting: the channel is closed. */
  stopWaiting(): void {
    this.#cancel()
  }

  /** Ends the back-off: the broker has confirmed a message. */
  reset(): void {
    this.#cancel()
    this.#tries = undefined
  }
}

// A nack means that a queue has no leader for the moment, or that it is full (`reject-publish`). An election takes one to
// two seconds; a failed one is repeated after five. The limit is below the default of `confirmStallMs`: a full queue is no
// reason to change the node.
const electionMs = 7_000

// The pauses before a message is sent again that an exchange has nacked. Together they are longer than an election, so
// that a message is sent at most five times; the first ones are short, for a leader that is elected soon.
const nackDelaysMs: readonly number[] = [300, 1_200, 2_200, 3_400]

// Bounds the map: an application may use another routing key for each message.
const maxRoutes = 1_000

interface RouteTarget {
  readonly exchange: string
  readonly key: string
}

/** Routes whose messages the broker nacks, with the time of the first nack: an election ends, a full queue may not. */
export class RefusedRoutes {
  readonly #sinceMs = new Map<string, number>()

  /** Records a nack; true when the route has been refused for longer than an election takes. */
  onNack(target: RouteTarget, nowMs: number): boolean {
    const route = routeOf(target)
    const sinceMs = this.#sinceMs.get(route)
    if (sinceMs !== undefined) return nowMs - sinceMs >= electionMs
    const [oldest] = this.#sinceMs.keys()
    if (this.#sinceMs.size >= maxRoutes && oldest !== undefined) this.#sinceMs.delete(oldest)
    this.#sinceMs.set(route, nowMs)
    return false
  }

  /** Records an ack. */
  onAck(target: RouteTarget): void {
    if (this.#sinceMs.size > 0) this.#sinceMs.delete(routeOf(target))
  }
}

function routeOf({ exchange, key }: RouteTarget): string {
  return `${exchange}\0${key}`
}
