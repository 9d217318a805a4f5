import type { Request } from '../protocol/requests.ts'
import { TooLargeError } from './error-classification.ts'

/** A request that was sent and is not answered. */
export interface PendingRequest {
  readonly xid: number
  readonly request: Request<unknown>
  /** When it was handed to the socket, by the clock. */
  readonly sentAtMs: number
  readonly bytes: number
  /** Takes the body of a yes; one that cannot be read is the failure of the request, and of nothing else. */
  answer(body: Buffer): void
  reject(error: Error): void
}

/** How much may be under way at once. */
interface InFlightLimits {
  readonly maxInFlight: number
  readonly maxInFlightBytes: number
}

const countedQueue = 0

/**
 * What is under way on one connection. A server answers in the order in which it was asked; a request with a number
 * that the protocol sets aside has its order only among its kind.
 */
export class InFlight {
  readonly #queues = new Map<number, RequestQueue<PendingRequest>>()
  #count = 0
  #bytes = 0

  get count(): number {
    return this.#count
  }

  /** Whether one more of this size is within the limits; one alone always is. */
  hasRoom(bytes: number, { maxInFlight, maxInFlightBytes }: InFlightLimits): boolean {
    if (this.#count === 0) return true
    return this.#count < maxInFlight && this.#bytes + bytes <= maxInFlightBytes
  }

  add(pending: PendingRequest): void {
    this.#queueOf(pending.xid).push(pending)
    this.#count += 1
    this.#bytes += pending.bytes
  }

  /** Takes out the one that an answer with this number belongs to; undefined when it is not its turn, or nobody asked. */
  take(xid: number): PendingRequest | undefined {
    const lane = this.#queueOf(xid)
    if (lane.first?.xid !== xid) return undefined
    return this.#remove(lane)
  }

  /** Takes all out. */
  drain(): readonly PendingRequest[] {
    const all: PendingRequest[] = []
    for (const lane of this.#queues.values()) {
      for (let next = this.#remove(lane); next !== undefined; next = this.#remove(lane)) all.push(next)
    }
    return all
  }

  #remove(lane: RequestQueue<PendingRequest>): PendingRequest | undefined {
    const pending = lane.shift()
    if (pending === undefined) return undefined
    this.#count -= 1
    this.#bytes -= pending.bytes
    return pending
  }

  #queueOf(xid: number): RequestQueue<PendingRequest> {
    const key = xid > 0 ? countedQueue : xid
    const lane = this.#queues.get(key) ?? new RequestQueue<PendingRequest>()
    this.#queues.set(key, lane)
    return lane
  }
}

/** The number after this one: from 1 up to 2^31 - 1, and again from 1. */
export function nextXid(xid: number): number {
  return xid >= 0x7fff_ffff ? 1 : xid + 1
}

/** Answers with what is read, or with why it cannot be. */
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

/** How much one connection holds at the most. */
export interface ConnectionLimits extends InFlightLimits {
  /** The longest answer that is kept, in bytes. */
  readonly maxFrameBytes: number
  /** The longest request that is sent, in bytes. */
  readonly maxRequestBytes: number
}

const mebibyte = 1_048_576

/** Answers may be larger than `jute.maxbuffer` (1 MiB), which bounds single requests: the children of a node add up. */
export const defaultLimits: ConnectionLimits = {
  maxFrameBytes: 4 * mebibyte + 4_096,
  // The servers' own default: they end the connection over what is larger.
  maxRequestBytes: 0xf_ffff,
  maxInFlight: 4_096,
  maxInFlightBytes: 16 * mebibyte,
}

/** Throws {@link TooLargeError} for a request, with its length before it, that no server takes in one piece. */
export function checkRequest(frame: Buffer, name: string, { maxRequestBytes }: ConnectionLimits): void {
  // The length itself does not count.
  const bytes = frame.readInt32BE(0)
  if (bytes > maxRequestBytes) throw new TooLargeError('request', name, bytes, maxRequestBytes)
}

// So many places that were left are worth moving the rest.
const compactAfter = 1_024

/** A queue: what came first leaves first, each in constant time on average. */
export class RequestQueue<T> {
  #items: (T | undefined)[] = []
  #first = 0

  /** The one that leaves next. */
  get first(): T | undefined {
    return this.#items[this.#first]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    const item = this.#items[this.#first]
    if (item === undefined) return undefined
    // Nothing that has left may be kept alive by its old place.
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
