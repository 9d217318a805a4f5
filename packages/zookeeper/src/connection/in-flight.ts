import type { Request } from '../driver/request.ts'
import { Fifo } from './fifo.ts'

/** A request that was sent and is not answered. */
export interface Pending {
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
export interface InFlightLimits {
  readonly maxInFlight: number
  readonly maxInFlightBytes: number
}

const counted = 0

/**
 * What is under way on one connection. A server answers in the order in which it was asked; a request with a number
 * that the protocol sets aside has its order only among its kind.
 */
export class InFlight {
  readonly #lanes = new Map<number, Fifo<Pending>>()
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

  add(pending: Pending): void {
    this.#lane(pending.xid).push(pending)
    this.#count += 1
    this.#bytes += pending.bytes
  }

  /** Takes out the one that an answer with this number belongs to; undefined when it is not its turn, or nobody asked. */
  take(xid: number): Pending | undefined {
    const lane = this.#lane(xid)
    if (lane.first?.xid !== xid) return undefined
    return this.#leave(lane)
  }

  /** Takes all out. */
  drain(): readonly Pending[] {
    const all: Pending[] = []
    for (const lane of this.#lanes.values()) {
      for (let next = this.#leave(lane); next !== undefined; next = this.#leave(lane)) all.push(next)
    }
    return all
  }

  #leave(lane: Fifo<Pending>): Pending | undefined {
    const pending = lane.shift()
    if (pending === undefined) return undefined
    this.#count -= 1
    this.#bytes -= pending.bytes
    return pending
  }

  #lane(xid: number): Fifo<Pending> {
    const key = xid > 0 ? counted : xid
    const lane = this.#lanes.get(key) ?? new Fifo<Pending>()
    this.#lanes.set(key, lane)
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
