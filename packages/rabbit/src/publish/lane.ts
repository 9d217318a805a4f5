import type { Clock } from '@ha/core'
import type { GuardedChannel } from '../amqp/channel.ts'
import type { ConfirmChannel, Message } from '../amqp/types.ts'
import { rabbitError } from '../codes.ts'
import { failGuilty } from './attribution.ts'
import { Caution } from './caution.ts'
import { confirm, type Entry, fail } from './entry.ts'
import { nacked, notEncodable, unroutable } from './failures.ts'
import { type ChannelEnd, type LaneChannel, listenTo, type Returned } from './lane-channel.ts'
import { LaneEntries, type Left } from './lane-entries.ts'
import { RefusedRoutes } from './refused-routes.ts'

/** Why a lane sends nothing for now. */
export type Hold = 'blocked' | 'buffer-full' | 'moving' | 'topology'

export interface LaneOptions {
  readonly clock: Clock
  /** How many messages may be unconfirmed at once. */
  readonly maxInFlight: number
  /** True when what the entry is published to is known to be there, or nothing more can be done about it. */
  readonly routeReady: (entry: Entry) => boolean
  /** Called when the broker found no queue for a message. */
  readonly onUnroutable: (entry: Entry) => void
  /** Called when the broker says that an exchange is missing; true when it will be declared again. */
  readonly onExchangeMissing: (exchange: string) => boolean
}

// Until a channel has confirmed something, it gets no more than this. A channel that hangs in RabbitMQ with 400 messages
// before it stops the whole connection ("flow"), so that no other channel can be opened on it.
const firstWindow = 64

// A channel that refused for good is kept for so long: full queues are no reason to open one for each message, and a
// channel that refuses for no good reason is not kept for ever.
const keptThoughRefusingMs = 1_000

/** The messages of one publisher on their way through one confirm channel after the other, in order. */
export class Lane {
  readonly #options: LaneOptions
  readonly #entries = new LaneEntries()
  readonly #holds = new Set<Hold>()
  readonly #caution: Caution
  readonly #refused = new RefusedRoutes()
  #channel: LaneChannel | undefined
  #openedAtMs = 0
  /** The channel has confirmed something. */
  #proven = false
  /** The channel has nacked: it gets nothing more, and is left when it has answered for what it was sent. */
  #refusing = false
  /** How many are still to be sent one by one, to find out which of them the broker refuses. */
  #suspects = 0
  /** Counts the broker's answers: how a stall is told from a refusal. */
  answers = 0

  constructor(options: LaneOptions) {
    this.#options = options
    this.#caution = new Caution(options.clock)
  }

  /** Sent and not confirmed. */
  get unconfirmed(): number {
    const { inFlight, nacked: refused, waiting } = this.#entries
    return inFlight.length + refused.length + (this.#caution.on ? waiting.length : 0)
  }

  /** How many messages were put back to be sent again. */
  get replayed(): number {
    return this.#entries.replayed
  }

  accept(entry: Entry): void {
    this.#entries.waiting.add(entry)
    this.pump()
  }

  /** Goes on with a channel that has just been opened. */
  open(channel: LaneChannel): void {
    this.#channel = channel
    this.#openedAtMs = this.#options.clock.now()
    this.#proven = false
    this.#holds.delete('buffer-full')
    this.#holds.delete('moving')
    listenTo(channel.guard, () => this.#channel === channel, {
      onAck: (deliveryTag, multiple) => this.#onAck(deliveryTag, multiple),
      onNack: (deliveryTag, multiple) => this.#onNack(deliveryTag, multiple),
      onReturn: (message) => this.#onReturn(message),
      onDrain: () => this.release('buffer-full'),
      onOver: (reason) => this.#done(reason, 'over'),
    })
    this.pump()
  }

  /** Stops sending for a reason. */
  hold(hold: Hold): void {
    this.#holds.add(hold)
  }

  /** Takes a reason away. */
  release(hold: Hold): void {
    if (this.#holds.delete(hold)) this.pump()
  }

  /** Fails everything that is over its deadline at `nowMs`; returns the next deadline. */
  expire(nowMs: number): number | undefined {
    return this.#entries.expire(nowMs, this.#why())
  }

  /** Fails everything that is left, with what is known of each, and lets its channel go. */
  end(): Left {
    this.#caution.end()
    const guard = this.#channel?.guard
    // First: its end is no loss that somebody should mend.
    this.#channel = undefined
    guard?.discard()
    return this.#entries.abandon()
  }

  /** The oldest message that was never sent, or undefined. */
  get oldestFresh(): Entry | undefined {
    return this.#entries.waiting.peekFresh()
  }

  /** Sends as much as may be sent. */
  pump(): void {
    const { waiting, inFlight } = this.#entries
    if (this.#channel === undefined || this.#holds.size > 0 || this.#refusing) return
    const window = this.#window()
    while (inFlight.length < window) {
      const entry = waiting.peek()
      if (entry === undefined) return
      if (!this.#options.routeReady(entry)) {
        this.hold('topology')
        return
      }
      waiting.take()
      if (!this.#send(entry, this.#channel.guard)) return
    }
  }

  #window(): number {
    if (this.#caution.on || this.#suspects > 0) return 1
    return this.#proven ? this.#options.maxInFlight : Math.min(firstWindow, this.#options.maxInFlight)
  }

  // False when the channel takes no more for now.
  #send(entry: Entry, { channel, over }: GuardedChannel<ConfirmChannel>): boolean {
    try {
      const goOn = channel.publish(entry.exchange, entry.key, entry.content, entry.properties)
      this.#entries.inFlight.add(entry)
      this.#caution.watch(() => this.#giveUp('hanging'))
      if (!goOn) this.hold('buffer-full')
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
    const nowMs = this.#options.clock.now()
    const endpoint = this.#channel?.endpoint ?? ''
    this.answers += 1
    this.#proven = true
    for (const entry of this.#answered(deliveryTag, multiple)) {
      this.#refused.take(entry)
      if (entry.returned === undefined) confirm(entry, endpoint, nowMs)
      else {
        fail(entry, unroutable(entry))
        this.#options.onUnroutable(entry)
      }
    }
    this.#afterAnswer()
  }

  #onNack(deliveryTag: number, multiple: boolean): void {
    const nowMs = this.#options.clock.now()
    let mayPass = false
    for (const entry of this.#answered(deliveryTag, multiple)) {
      const forGood = this.#refused.refuse(entry, nowMs)
      if (entry.repeatable && !forGood) this.#entries.nacked.push(entry)
      else fail(entry, nacked(entry))
      mayPass ||= !forGood
    }
    this.answers += 1
    if (mayPass) this.#caution.begin()
    this.#refusing ||= mayPass || nowMs - this.#openedAtMs >= keptThoughRefusingMs
    if (this.#refusing) this.#caution.watch(() => this.#giveUp('refusing'))
    this.#afterAnswer()
  }

  #answered(deliveryTag: number, multiple: boolean): readonly Entry[] {
    const answered = this.#entries.inFlight.answered(deliveryTag, multiple)
    this.#suspects = Math.max(0, this.#suspects - answered.length)
    return answered
  }

  #afterAnswer(): void {
    if (this.#refusing) {
      if (this.#entries.inFlight.length === 0) this.#giveUp('refusing')
      return
    }
    this.#caution.end()
    this.pump()
  }

  #onReturn({ fields, properties }: Message): void {
    const { exchange, routingKey, replyCode, replyText } = fields as Returned
    const entry = this.#entries.inFlight.find({ exchange, key: routingKey, messageId: properties.messageId })
    if (entry !== undefined) entry.returned = `${String(replyCode)} ${String(replyText)}`
  }

  #giveUp(how: Exclude<ChannelEnd, 'over'>): void {
    const guard = this.#channel?.guard
    const code = how === 'refusing' ? 'nacked' : 'stalled'
    this.#done(rabbitError(code, `the channel is ${how}`, { outcome: 'unknown', retryable: true }), how)
    guard?.discard()
  }

  // The channel is of no more use: what it did not confirm goes back to the front, in order.
  #done(error: Error, how: ChannelEnd): void {
    const channel = this.#channel
    if (channel === undefined) return
    this.#channel = undefined
    this.#refusing = false
    this.#caution.unwatch()
    const taken = this.#entries.takeOff()
    // An exchange of the topology is declared again, and what was published to it goes again.
    this.#suspects = failGuilty(taken, error, this.#options.onExchangeMissing)
    this.#entries.putBack(taken)
    channel.onDone(error, how)
  }

  #why(): string {
    if (this.#channel === undefined) return ' (no channel)'
    return this.#holds.size === 0 ? '' : ` (held: ${[...this.#holds].join(', ')})`
  }
}

function isClosed(error: unknown): boolean {
  return (error as { name?: unknown }).name === 'IllegalOperationError'
}
