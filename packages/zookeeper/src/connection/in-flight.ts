import type { Request } from '../protocol/requests.ts'
import { TooLargeError } from './error-classification.ts'

/** A request that was sent and has no reply yet. */
export interface PendingRequest {
  readonly xid: number
  readonly request: Request<unknown>
  /** The clock time at which it was written to the socket. */
  readonly sentAtMs: number
  readonly bytes: number
  /**
   * Takes the body of a successful reply, or its beginning when it exceeds the limit. A body that cannot be decoded rejects
   * this request only.
   */
  answer(body: Buffer, isCut: boolean): void
  reject(error: Error): void
}

/** How much may be pending at once. */
interface InFlightLimits {
  readonly maxInFlight: number
  readonly maxInFlightBytes: number
}

const countedQueue = 0

/**
 * The pending requests of a connection. A server answers in the order of the requests; requests with a reserved xid
 * have an order of their own.
 */
export class InFlight {
  readonly #queues = new Map<number, RequestQueue<PendingRequest>>()
  #count = 0
  #bytes = 0

  get count(): number {
    return this.#count
  }

  /** Whether one more request of this size is within the limits; a single one always is. */
  hasRoom(bytes: number, { maxInFlight, maxInFlightBytes }: InFlightLimits): boolean {
    if (this.#count === 0) return true
    return this.#count < maxInFlight && this.#bytes + bytes <= maxInFlightBytes
  }

  add(pending: PendingRequest): void {
    this.#queueOf(pending.xid).push(pending)
    this.#count += 1
    this.#bytes += pending.bytes
  }

  /**
   * Removes and returns the request that a reply with this xid belongs to; undefined when it is not the next one.
   */
  take(xid: number): PendingRequest | undefined {
    const queue = this.#queueOf(xid)
    if (queue.first?.xid !== xid) return undefined
    return this.#remove(queue)
  }

  /** Removes and returns all requests. */
  drain(): readonly PendingRequest[] {
    const all: PendingRequest[] = []
    for (const queue of this.#queues.values()) {
      for (let next = this.#remove(queue); next !== undefined; next = this.#remove(queue)) all.push(next)
    }
    return all
  }

  #remove(queue: RequestQueue<PendingRequest>): PendingRequest | undefined {
    const pending = queue.shift()
    if (pending === undefined) return undefined
    this.#count -= 1
    this.#bytes -= pending.bytes
    return pending
  }

  #queueOf(xid: number): RequestQueue<PendingRequest> {
    const key = xid > 0 ? countedQueue : xid
    const queue = this.#queues.get(key) ?? new RequestQueue<PendingRequest>()
    this.#queues.set(key, queue)
    return queue
  }
}

/** The next xid: from 1 up to 2^31 - 1, and then from 1 again. */
export function nextXid(xid: number): number {
  return xid >= 0x7fff_ffff ? 1 : xid + 1
}

/** Resolves with the result of `read`, or rejects with what it throws. */
export function settle<T>(
  answer: { resolve(value: T): void; reject(error: unknown): void },
  read: () => T,
): void {
  try {
    answer.resolve(read())
  } catch (error) {
    answer.reject(error)
  }
}

/** The limits of one connection. */
export interface ConnectionLimits extends InFlightLimits {
  /** The longest reply that is kept, in bytes. */
  readonly maxFrameBytes: number
  /** The longest request that is sent, in bytes. */
  readonly maxRequestBytes: number
}

const mebibyte = 1_048_576

/** The limits of one request and one reply without options, in bytes. */
export const defaultMaxReplyBytes: number = 4 * mebibyte + 4_096
/** As {@link defaultMaxReplyBytes}. The servers close the connection after a larger request by default. */
export const defaultMaxRequestBytes = 0xf_ffff

/**
 * Replies may be larger than `jute.maxbuffer` (1 MiB), which limits single requests: the names of many children add up.
 */
export const defaultLimits: ConnectionLimits = {
  maxFrameBytes: defaultMaxReplyBytes,
  maxRequestBytes: defaultMaxRequestBytes,
  maxInFlight: 4_096,
  maxInFlightBytes: 16 * mebibyte,
}

/** Throws {@link TooLargeError} for a packet that is larger than the servers accept. */
export function checkRequest(frame: Buffer, name: string, { maxRequestBytes }: ConnectionLimits): void {
  // The length prefix does not count.
  const bytes = frame.readInt32BE(0)
  if (bytes > maxRequestBytes) throw new TooLargeError('request', name, bytes, maxRequestBytes)
}

// After so many removed entries the rest is copied to the front.
const compactAfter = 1_024

/** A first-in, first-out queue with constant time on average. */
export class RequestQueue<T> {
  #items: (T | undefined)[] = []
  #first = 0

  /** The next one to be removed. */
  get first(): T | undefined {
    return this.#items[this.#first]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    const item = this.#items[this.#first]
    if (item === undefined) return undefined
    // Removed entries must not be kept alive.
    this.#items[this.#first] = undefined
    this.#first += 1
    if (this.#first === this.#items.length || this.#first >= compactAfter) this.#move()
    return item
  }

  #move(): void {
    this.#items = this.#items.slice(this.#first)
    this.#first = 0
  }
}
