import type { Clock } from '@ha/core'
import type { InFlight, PublishEntry } from './message-queue.ts'

// A nack means that a queue has no leader for the moment, or that it is full (`reject-publish`). An election takes one to
// two seconds; a failed one is repeated after five. The limit is below the default of `confirmStallMs`: a full queue is no
// reason to change the node.
const electionMs = 7_000

// Bounds the maps: an application may use another routing key for each message.
const maxRoutes = 1_000

// Each is a channel on the broker, which allows 2 047 on a connection. Further routes of an exchange share one.
const maxRouteChannels = 16

/** An exchange and a routing key. */
export interface PublishRoute {
  readonly exchange: string
  readonly key: string
}

/** The name of a route. An exchange that ignores the key is one route. */
export function routeOf({ exchange, key }: PublishRoute, ignoresKey: boolean): string {
  return ignoresKey ? `${exchange}\0` : `${exchange}\0${key}`
}

/** Routes whose messages the broker nacks, with the time of the first nack: an election ends, a full queue may not. */
export class RefusedRoutes {
  readonly #sinceMs = new Map<string, number>()
  readonly #reported = new Set<string>()

  get size(): number {
    return this.#sinceMs.size
  }

  /** Records a nack; true when the route has been refused for longer than an election takes. */
  onNack(route: string, nowMs: number): boolean {
    const sinceMs = this.#sinceMs.get(route)
    if (sinceMs !== undefined) return nowMs - sinceMs >= electionMs
    deleteOldest(this.#sinceMs, maxRoutes)
    this.#sinceMs.set(route, nowMs)
    return false
  }

  /** Whether the refusal of a route is yet to be reported: once, until the broker accepts it again. */
  report(route: string): boolean {
    if (this.#reported.has(route)) return false
    if (this.#reported.size >= maxRoutes) this.#reported.clear()
    this.#reported.add(route)
    return true
  }

  /** Records an ack. */
  onAck(route: string): void {
    this.#sinceMs.delete(route)
    this.#reported.delete(route)
  }
}

/** A channel of its own for the messages of routes that the broker refuses. */
export interface RouteChannel {
  accept(entry: PublishEntry): void
  /** Takes messages that the channel of the publisher has sent before, ahead of all others. */
  takeBack(entries: readonly PublishEntry[], isSuspect: boolean): void
  /** Whether it waits for messages of its routes that the channel of the publisher has in flight, and for how long. */
  hold(isHeld: boolean, onTimeout?: () => void): void
  /** It has no messages, the broker refuses none, and the last nack was before that time. */
  isIdleSince(atMs: number): boolean
  readonly isEmpty: boolean
}

/** The channel of routes that the broker refuses: it tries their messages again, with growing delay. */
export interface RouteRole {
  readonly kind: 'route'
  readonly name: string
  readonly refused: RefusedRoutes
  /** Called after each confirm, with the time at which the channel was opened. */
  readonly onConfirmed: (openedAtMs: number) => void
}

/** One or more routes with a channel of their own. */
export interface IsolatedRoute<Ch extends RouteChannel> {
  readonly name: string
  readonly channel: Ch
  /** Its messages that the channel of the publisher had in flight when it was isolated. They go first. */
  readonly inFlight: Set<PublishEntry>
}

interface RouteChannelsDeps<Ch extends RouteChannel> {
  readonly open: (name: string, refused: RefusedRoutes) => Ch
  readonly close: (channel: Ch) => void
  /** Whether an exchange ignores the routing key. */
  readonly ignoresKey: (exchange: string) => boolean
}

/**
 * The routes of one publisher that the broker has nacked. Each has a channel of its own, where its messages wait and are
 * tried again: all other routes go on. It returns to the channel of the publisher when that one may be used again.
 */
export class RouteChannels<Ch extends RouteChannel> {
  readonly #deps: RouteChannelsDeps<Ch>
  readonly #byRoute = new Map<string, IsolatedRoute<Ch>>()
  readonly #isolated = new Map<string, IsolatedRoute<Ch>>()
  readonly #refused = new RefusedRoutes()

  constructor(deps: RouteChannelsDeps<Ch>) {
    this.#deps = deps
  }

  get all(): Iterable<IsolatedRoute<Ch>> {
    return this.#isolated.values()
  }

  /** The channel of a message whose route is isolated. */
  of(target: PublishRoute): IsolatedRoute<Ch> | undefined {
    return this.#byRoute.size === 0 ? undefined : this.#byRoute.get(this.#routeOf(target))
  }

  /** Gives the route a channel of its own, or, beyond 16 of them, one for all further routes of its exchange. */
  isolate(target: PublishRoute): IsolatedRoute<Ch> {
    const route = this.#routeOf(target)
    const name = this.#isolated.has(route) || this.#hasRoom() ? route : `${target.exchange}\0\0`
    const isolated = this.#isolated.get(name) ?? this.#open(name)
    deleteOldest(this.#byRoute, maxRoutes)
    this.#byRoute.set(route, isolated)
    return isolated
  }

  /**
   * The messages of a route that the channel of the publisher has in flight are answered first, to keep their order. Those
   * that are not answered in time are taken from it, and sent again.
   */
  awaitInFlight(isolated: IsolatedRoute<Ch>, inFlight: InFlight): void {
    for (const entry of inFlight)
      if (entry.inFlight && this.of(entry) === isolated) isolated.inFlight.add(entry)
    if (isolated.inFlight.size === 0) return
    isolated.channel.hold(true, () => {
      const late = inFlight.release((entry) => entry.repeatable && isolated.inFlight.has(entry))
      isolated.inFlight.clear()
      isolated.channel.takeBack(late, false)
      isolated.channel.hold(false)
    })
  }

  /** The broker has confirmed a message on the channel of the publisher. */
  onAck(entry: PublishEntry): void {
    if (this.#refused.size > 0) this.#refused.onAck(this.#routeOf(entry))
    this.onAnswer(entry)
  }

  /** The message was answered on the channel of the publisher, or is about to be sent again. */
  onAnswer(entry: PublishEntry): void {
    const isolated = this.of(entry)
    if (isolated?.inFlight.delete(entry) === true && isolated.inFlight.size === 0)
      isolated.channel.hold(false)
  }

  /** Ends the channels of routes that are as good as others since the channel of the publisher was opened. */
  release(openedAtMs: number): void {
    for (const isolated of this.#isolated.values())
      if (isolated.channel.isIdleSince(openedAtMs) && isolated.inFlight.size === 0) this.#close(isolated)
  }

  #hasRoom(): boolean {
    if (this.#isolated.size < maxRouteChannels) return true
    for (const isolated of this.#isolated.values()) {
      if (!isolated.channel.isEmpty || isolated.inFlight.size > 0) continue
      this.#close(isolated)
      return true
    }
    return false
  }

  #open(name: string): IsolatedRoute<Ch> {
    const isolated = {
      name,
      channel: this.#deps.open(name, this.#refused),
      inFlight: new Set<PublishEntry>(),
    }
    this.#isolated.set(name, isolated)
    return isolated
  }

  #close(isolated: IsolatedRoute<Ch>): void {
    this.#isolated.delete(isolated.name)
    for (const [route, of] of this.#byRoute) if (of === isolated) this.#byRoute.delete(route)
    this.#deps.close(isolated.channel)
  }

  #routeOf(target: PublishRoute): string {
    return routeOf(target, this.#deps.ignoresKey(target.exchange))
  }
}

function deleteOldest(map: Map<string, unknown>, max: number): void {
  const [oldest] = map.keys()
  if (map.size >= max && oldest !== undefined) map.delete(oldest)
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
export class NackBackoff {
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

// The pauses before a message is sent again that an exchange has nacked. Together they are longer than an election, so
// that a message is sent at most five times; the first ones are short, for a leader that is elected soon.
const nackDelaysMs: readonly number[] = [300, 1_200, 2_200, 3_400]

/** How long an exchange gets nothing more after its message was nacked for the n-th time (from 1), in milliseconds. */
export function nackDelayMs(nacks: number): number {
  return nackDelaysMs[Math.min(nacks, nackDelaysMs.length) - 1] ?? 0
}
