import type { ConsumeMessage } from '../driver/types.ts'
import type { ChannelDelivery, HandlerRun } from './delivery.ts'

/** What to do with a message of a stream. */
export type StreamDecision =
  | { readonly kind: 'run'; readonly run: HandlerRun }
  /** Its handler is running, and will answer this delivery. */
  | { readonly kind: 'joined' }
  /** Its handler finished on an earlier connection. */
  | { readonly kind: 'handled' }

/** The argument that names the offset at which a consumer of a stream starts. */
export const offsetArgument = 'x-stream-offset'

/** The offset of a message of a stream; undefined for a message of a queue. */
export function streamOffsetOf({ properties }: ConsumeMessage): number | undefined {
  const offset: unknown = properties.headers?.[offsetArgument]
  return typeof offset === 'number' ? offset : undefined
}

/**
 * The position of one consumer in a stream: which messages it has handled. The broker keeps no position, so each
 * subscription starts at the first message that is not handled, and messages behind it that were handled are skipped.
 * Its size is that of the prefetch.
 */
export class StreamPosition {
  /** Messages that are delivered and not handled; without a run, they wait to be delivered again. */
  readonly #outstanding = new Map<number, HandlerRun | undefined>()
  #highest = -1
  #subscribedAtMs: number | undefined
  #pendingAtMs: number | undefined
  #requested = 0

  /**
   * The arguments of the next subscription. `nowMs` is the time of day. A consumer that started at the end of the stream
   * and has received nothing goes on at the time at which it started: messages of the preceding two seconds may come too.
   */
  argumentsFor(given: Readonly<Record<string, unknown>>, nowMs: number): Readonly<Record<string, unknown>> {
    this.#requested = 0
    if (this.#highest >= 0) {
      this.#requested = this.#next
      return { ...given, [offsetArgument]: this.#requested }
    }
    const offset = given[offsetArgument]
    if (offset instanceof Date) return { ...given, [offsetArgument]: timestamp(offset.getTime()) }
    if (offset !== 'next' && offset !== 'last') return given
    if (this.#subscribedAtMs !== undefined)
      return { ...given, [offsetArgument]: timestamp(this.#subscribedAtMs - clockToleranceMs) }
    this.#pendingAtMs = nowMs
    return given
  }

  /** The broker has confirmed the subscription. */
  onSubscribed(): void {
    this.#subscribedAtMs ??= this.#pendingAtMs
  }

  /** Decides what to do with a delivered message. */
  onDelivery(offset: number, delivery: ChannelDelivery): StreamDecision {
    // The broker delivers nothing below the requested offset: this is a new stream of the same name.
    if (offset < this.#requested) this.reset()
    this.#forgetTruncated(offset)
    const known = this.#outstanding.get(offset)
    if (known !== undefined) {
      known.latest = delivery
      return { kind: 'joined' }
    }
    if (offset <= this.#highest && !this.#outstanding.has(offset)) return { kind: 'handled' }
    const run: HandlerRun = { latest: delivery }
    this.#outstanding.set(offset, run)
    this.#highest = Math.max(this.#highest, offset)
    return { kind: 'run', run }
  }

  /** Records the end of a run: its message is handled, or it waits to be delivered again. */
  onFinished(offset: number, run: HandlerRun, isHandled: boolean): void {
    if (this.#outstanding.get(offset) !== run) return
    if (isHandled) this.#outstanding.delete(offset)
    else this.#outstanding.set(offset, undefined)
  }

  /** The stream does not exist: a new one of its name has other messages. */
  reset(): void {
    this.#outstanding.clear()
    this.#highest = -1
    this.#requested = 0
  }

  get #next(): number {
    return Math.min(this.#highest + 1, ...this.#outstanding.keys())
  }

  // Messages are delivered in the order of their offsets: one that was passed over is no longer in the stream.
  #forgetTruncated(offset: number): void {
    for (const [earlier, run] of this.#outstanding)
      if (run === undefined && earlier < offset) this.#outstanding.delete(earlier)
  }
}

// The clocks of client and broker may differ, and the broker finds a time by whole chunks of messages.
const clockToleranceMs = 2_000

function timestamp(atMs: number): { readonly '!': 'timestamp'; readonly value: number } {
  return { '!': 'timestamp', value: Math.floor(atMs / 1_000) }
}
