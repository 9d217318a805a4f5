import type { Clock, HaError } from '@ha/core'
import type { Message } from '../driver/types.ts'
import { rabbitError } from '../errors.ts'
import type { DeclaredTopology } from '../topology/declare.ts'
import {
  type ChannelEnd,
  type ConfirmChannelHandle,
  isClosedError,
  listenToChannel,
  type PauseReason,
  type ReturnFields,
} from './confirm-channel.ts'
import { confirm, fail, MessageQueue, type PublishEntry, type UnconfirmedCounts } from './message-queue.ts'
import {
  clientClosed,
  connectionLost,
  deadlineExceeded,
  endsConnection,
  headerTooLarge,
  nacked,
  notEncodable,
  rejectOffending,
  unroutable,
} from './publish-errors.ts'
import {
  type IsolatedRoute,
  NackBackoff,
  nackDelayMs,
  type RouteChannel,
  RouteChannels,
  type RouteRole,
} from './route-channels.ts'
import type { Suspects } from './suspects.ts'

interface PublishChannelDeps {
  /** The key of its declaration. */
  readonly key: string
  readonly clock: Clock
  /** Maximum number of unconfirmed messages. */
  readonly maxInFlight: number
  readonly topology: DeclaredTopology
  readonly connection: PublishConnection
}

/** What all publish channels of a connection share. */
export interface PublishConnection {
  /** Why there is no connection; undefined when there is one. */
  readonly unavailableReason: () => Error | undefined
  readonly suspects: Suspects
  /** Called with a message that the broker ends the connection for. */
  readonly onRejected: (entry: PublishEntry, error: HaError) => void
  /** Called with the message of a route that the broker has refused for longer than an election takes. */
  readonly onRefused: (entry: PublishEntry, error: HaError) => void
}

/** The channel of a publisher: it gives a route that the broker refuses a channel of its own. */
interface PublisherRole {
  readonly kind: 'publisher'
  readonly openRoute: (role: RouteRole) => PublishChannel
  readonly closeRoute: (channel: PublishChannel) => void
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

// How often the channel of a publisher is replaced because a newer one confirms what it nacks, and how long it may take to
// answer what it has in flight: the routes that work wait for that.
const minRenewIntervalMs = 1_000
const maxRenewDrainMs = 100

// How long the messages of a refused route wait for those that the channel of the publisher has in flight.
const maxHoldMs = 100

/**
 * Sends the messages of one publisher, in order, on a confirm channel. When that channel is lost, the messages without a
 * confirm are sent again on the next one. Messages of a route that the broker nacks go to a channel of their own.
 */
export class PublishChannel implements RouteChannel {
  readonly key: string
  readonly #deps: PublishChannelDeps
  readonly #messages = new MessageQueue()
  readonly #pauses = new Set<PauseReason>()
  readonly #nackBackoff: NackBackoff
  readonly #role: RouteRole | undefined
  /** The routes with a channel of their own; undefined for such a channel. */
  readonly #routes: RouteChannels<PublishChannel> | undefined
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
  #cancelNackPause: () => void = ignore
  #cancelHold: () => void = ignore
  #cancelRenewal: () => void = ignore
  #lastNackAtMs = Number.NEGATIVE_INFINITY
  #renewAfterMs = Number.NEGATIVE_INFINITY
  /** What was given to the driver since it first asked for a pause, in bytes. */
  #driverBytes = 0
  /** Number of answers, acks and nacks: this distinguishes a stall from refusals. */
  answers = 0

  constructor(deps: PublishChannelDeps, role: PublisherRole | RouteRole) {
    this.key = deps.key
    this.#deps = deps
    this.#nackBackoff = new NackBackoff(deps.clock)
    this.#role = role.kind === 'route' ? role : undefined
    this.#routes = role.kind === 'route' ? undefined : this.#routeChannels(role)
  }

  #routeChannels({ openRoute, closeRoute }: PublisherRole): RouteChannels<PublishChannel> {
    const onConfirmed = (openedAtMs: number): void => this.#onRouteConfirmed(openedAtMs)
    return new RouteChannels({
      open: (name, refused) => openRoute({ kind: 'route', name, refused, onConfirmed }),
      close: closeRoute,
      ignoresKey: (exchange) => this.#deps.topology.ignoresKey(exchange),
    })
  }

  /** The channels of its routes that the broker refuses. */
  get routes(): readonly PublishChannel[] {
    return this.#routes === undefined ? [] : Array.from(this.#routes.all, ({ channel }) => channel)
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
    const own = this.#routes?.of(entry)
    if (own !== undefined) {
      own.channel.accept(entry)
      return
    }
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
    this.#pauses.delete('suspects')
    listenToChannel(channel.guard, () => this.#channel === channel, {
      onAck: (deliveryTag, multiple) => this.#onAck(deliveryTag, multiple),
      onNack: (deliveryTag, multiple) => this.#onNack(deliveryTag, multiple),
      onReturn: (message) => this.#onReturn(message),
      onDrain: () => this.#onDrain(),
      onClosed: (reason) => this.#onDone(reason, 'over'),
    })
    this.#routes?.release(this.#openedAtMs)
    this.#sendReady()
  }

  takeBack(entries: readonly PublishEntry[], isSuspect: boolean): void {
    this.#messages.putBack(entries)
    if (isSuspect) this.#suspects += entries.filter((entry) => !entry.settled).length
    this.#sendReady()
  }

  hold(isHeld: boolean, onTimeout: () => void = ignore): void {
    this.#cancelHold()
    if (isHeld) {
      this.pause('earlier messages')
      this.#cancelHold = this.#deps.clock.after(maxHoldMs, onTimeout)
    } else this.resume('earlier messages')
  }

  get isEmpty(): boolean {
    const { inFlight, nacked: nackedEntries, waiting } = this.#messages
    return inFlight.length === 0 && nackedEntries.length === 0 && waiting.peek() === undefined
  }

  isIdleSince(atMs: number): boolean {
    return this.isEmpty && !this.#nackBackoff.active && this.#lastNackAtMs < atMs
  }

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
    this.#cancelHold()
    this.#cancelRenewal()
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
    // The other channels of a lost connection have not heard of it yet.
    if (channel.connectionClosed.aborted) return undefined
    if (this.#messages.inFlight.length >= this.#window()) return undefined
    if (!this.#deps.connection.suspects.maySend) {
      this.pause('suspects')
      return undefined
    }
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
      this.#deps.connection.suspects.onSend(entry)
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
      this.#routes?.onAck(entry)
      this.#role?.refused.onAck(this.#role.name)
      if (entry.returned === undefined) confirm(entry, endpoint, nowMs)
      else {
        fail(entry, unroutable(entry))
        this.#deps.topology.recheck(entry.exchange, entry.key)
      }
    }
    this.#afterAnswer()
    this.#role?.onConfirmed(this.#openedAtMs)
  }

  #onNack(deliveryTag: number, multiple: boolean): void {
    const answered = this.#takeAnswered(deliveryTag, multiple)
    this.answers += 1
    this.#lastNackAtMs = this.#deps.clock.now()
    if (this.#role !== undefined) this.#backOff(answered, this.#role)
    else for (const entry of answered) this.#isolate(entry)
    this.#afterAnswer()
  }

  // The failure belongs to the route alone: its messages wait on a channel of their own from now on.
  #isolate(entry: PublishEntry): void {
    const routes = this.#routes
    if (routes === undefined) return
    const isolated = routes.of(entry) ?? this.#openRoute(entry, routes)
    isolated.channel.takeNacked(entry)
    routes.onAnswer(entry)
  }

  #openRoute(entry: PublishEntry, routes: RouteChannels<PublishChannel>): IsolatedRoute<PublishChannel> {
    const isolated = routes.isolate(entry)
    const isOfRoute = (other: PublishEntry): boolean => routes.of(other) === isolated
    const { inFlight, waiting } = this.#messages
    routes.awaitInFlight(isolated, inFlight)
    const moved = waiting.takeWhere(isOfRoute)
    isolated.channel.takeBack(
      moved.filter(({ attempts }) => attempts > 0),
      false,
    )
    for (const other of moved) if (other.attempts === 0) isolated.channel.accept(other)
    return isolated
  }

  /** Takes a message of its route that the channel of the publisher has sent, and the broker has nacked. */
  takeNacked(entry: PublishEntry): void {
    if (this.#role === undefined) return
    this.#lastNackAtMs = this.#deps.clock.now()
    if (this.#refuse(entry, this.#role)) this.#nackBackoff.start()
    if (!entry.settled) this.takeBack([entry], false)
  }

  #backOff(nackedEntries: readonly PublishEntry[], role: RouteRole): void {
    let isTransient = false
    for (const entry of nackedEntries) {
      isTransient = this.#refuse(entry, role) || isTransient
      if (!entry.settled) this.#messages.nacked.push(entry)
    }
    if (isTransient) this.#nackBackoff.start()
    this.#isRefusing ||= isTransient || this.#lastNackAtMs - this.#openedAtMs >= minRefusingChannelAgeMs
    if (this.#isRefusing) this.#nackBackoff.awaitConfirm(() => this.#discard('refusing'))
  }

  // True when the route may be accepted soon. An exchange may have given the message to other queues: each attempt stores
  // another copy there.
  #refuse(entry: PublishEntry, { name, refused }: RouteRole): boolean {
    const isPermanent = refused.onNack(name, this.#lastNackAtMs)
    entry.nacks += 1
    if (isPermanent || !entry.repeatable) fail(entry, nacked(entry))
    if (isPermanent && refused.report(name)) this.#deps.connection.onRefused(entry, nacked(entry))
    if (entry.exchange !== '' && !isPermanent) this.#pauseAfterNack(nackDelayMs(entry.nacks))
    return !isPermanent
  }

  #pauseAfterNack(delayMs: number): void {
    this.pause('nacked')
    this.#cancelNackPause()
    this.#cancelNackPause = this.#deps.clock.after(delayMs, () => this.resume('nacked'))
  }

  #onRouteConfirmed(openedAtMs: number): void {
    this.#routes?.release(this.#openedAtMs)
    if (this.#lastNackAtMs >= this.#openedAtMs && openedAtMs > this.#openedAtMs) this.#renew()
  }

  // A newer channel confirms what this one has nacked: opened during an election, it may do so for its lifetime.
  #renew(): void {
    const { clock } = this.#deps
    if (this.#channel === undefined || this.#isRefusing || clock.now() < this.#renewAfterMs) return
    this.#renewAfterMs = clock.now() + minRenewIntervalMs
    this.#isRefusing = true
    this.#cancelRenewal = clock.after(maxRenewDrainMs, () => {
      this.#isRefusing = false
      this.#sendReady()
    })
    this.#afterAnswer()
  }

  #takeAnswered(deliveryTag: number, multiple: boolean): readonly PublishEntry[] {
    const answered = this.#messages.inFlight.takeAnswered(deliveryTag, multiple)
    this.#suspects = Math.max(0, this.#suspects - answered.length)
    for (const entry of answered) this.#deps.connection.suspects.onAnswer(entry)
    return answered
  }

  #afterAnswer(): void {
    if (this.#isRefusing) {
      if (this.#messages.inFlight.length === 0) this.#discard(this.#role === undefined ? 'stale' : 'refusing')
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
    const code = how === 'hanging' ? 'stalled' : 'nacked'
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
    this.#cancelRenewal()
    this.#rejectSuspect(error)
    const unconfirmed = this.#messages.takeUnconfirmed()
    // A missing exchange of the topology is declared again, and its messages are sent again.
    const suspects = rejectOffending(unconfirmed, error, (exchange) =>
      this.#deps.topology.redeclareExchange(exchange),
    )
    for (const entry of unconfirmed) if (!entry.repeatable) fail(entry, connectionLost(entry, error))
    const own = this.#returnToRoutes(unconfirmed, suspects > 0)
    this.#messages.putBack(own)
    this.#suspects = suspects > 0 ? own.filter((entry) => !entry.settled).length : 0
    // Each end over a message that was rejected is progress.
    const isProgress = how === 'over' && unconfirmed.some(({ settled }) => settled)
    channel.onDone(error, isProgress ? 'rejecting' : how)
  }

  // The connection has ended over one of the messages in flight: rejects it when it is known which one.
  #rejectSuspect(error: Error): void {
    const { suspects, onRejected } = this.#deps.connection
    const inFlight = Array.from(this.#messages.inFlight).filter((entry) => entry.inFlight)
    const guilty = suspects.onEnd(inFlight, error)
    if (guilty === undefined) return
    const rejected = endsConnection(guilty, error)
    fail(guilty, rejected)
    onRejected(guilty, rejected)
  }

  // Messages of refused routes go on on the channels of these routes. Returns the others.
  #returnToRoutes(unconfirmed: readonly PublishEntry[], isSuspect: boolean): readonly PublishEntry[] {
    const routes = this.#routes
    if (routes === undefined) return unconfirmed
    for (const isolated of routes.all) {
      const returned = unconfirmed.filter((entry) => routes.of(entry) === isolated)
      if (returned.length > 0) isolated.channel.takeBack(returned, isSuspect)
      for (const entry of returned) routes.onAnswer(entry)
    }
    return unconfirmed.filter((entry) => routes.of(entry) === undefined)
  }

  // What messages are waiting for.
  #obstacle(): { readonly text: string; readonly cause: Error | undefined } {
    const cause = this.#deps.connection.unavailableReason()
    if (cause !== undefined) return { text: ` (no connection: ${cause.message})`, cause }
    const paused = this.#pauses.size === 0 ? '' : ` (paused: ${[...this.#pauses].join(', ')})`
    return { text: this.#channel === undefined ? ' (no channel)' : paused, cause: undefined }
  }
}

function ignore(): void {}
