import { createHash } from 'node:crypto'
import type { Clock } from '@ha/core'
import type { ConsumeMessage } from '../driver/types.ts'
import { messageIdOf } from './delivery.ts'
import { streamOffsetOf } from './stream-position.ts'

const maxRequeueDelayMs = 60_000
// A handler that returns `requeue` hands the message to another consumer: the first time without a long delay.
export const maxFirstRequeueDelayMs = 100
// A delay of 0 means that the first repetition is not delayed; the later ones are.
const minGrowingDelayMs = 100

/** The delay before the message of a failed attempt is requeued: doubles with each attempt, up to one minute. */
export function requeueDelayMs(firstMs: number, attempt: number): number {
  if (attempt <= 1) return firstMs
  const grown = Math.max(firstMs, minGrowingDelayMs) * 2 ** (attempt - 1)
  return Math.min(grown, Math.max(firstMs, maxRequeueDelayMs))
}

// Fifty undecodable messages a second: a wrong codec must not empty a whole queue before an operator sees the events.
const minRejectIntervalMs = 20

/**
 * Spaces the rejections of one consumer: messages that cannot be decoded are rejected one after the other, at a rate
 * that an operator can follow.
 */
export class Pace {
  readonly #clock: Clock
  #nextAtMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How long to wait now, so that two waits end at least {@link minRejectIntervalMs} apart. */
  delayMs(): number {
    const nowMs = this.#clock.now()
    const atMs = Math.max(nowMs, this.#nextAtMs)
    this.#nextAtMs = atMs + minRejectIntervalMs
    return atMs - nowMs
  }
}

interface FailureCount {
  readonly count: number
  readonly atMs: number
}

const maxCounts = 10_000
// A message that comes back later than this has waited long enough.
const maxCountAgeMs = 600_000

/**
 * Counts the failures of messages. A quorum queue counts redeliveries itself, for all processes together; for other
 * queues, this process recognises a message by its id, or by its content.
 */
export class FailureCounts {
  readonly #clock: Clock
  readonly #counts = new Map<string, FailureCount>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Counts one more failure and returns their number. */
  count(message: ConsumeMessage): number {
    const key = identityOf(message)
    const nowMs = this.#clock.now()
    const known = this.#counts.get(key)
    const before = known !== undefined && nowMs - known.atMs < maxCountAgeMs ? known.count : 0
    const count = Math.max(before, earlierDeliveries(message)) + 1
    this.#counts.delete(key)
    this.#counts.set(key, { count, atMs: nowMs })
    const [oldest] = this.#counts.keys()
    if (this.#counts.size > maxCounts && oldest !== undefined) this.#counts.delete(oldest)
    return count
  }

  forget(message: ConsumeMessage): void {
    // Most messages are delivered once, and their identity need not be computed.
    const isFirst = !message.fields.redelivered && streamOffsetOf(message) === undefined
    if (this.#counts.size > 0 && !isFirst) this.#counts.delete(identityOf(message))
  }
}

function earlierDeliveries({ properties }: ConsumeMessage): number {
  const headers = properties.headers ?? {}
  const counts = [headers['x-delivery-count'], headers['x-acquired-count']].map(Number)
  return Math.max(0, ...counts.filter(Number.isSafeInteger))
}

function identityOf(message: ConsumeMessage): string {
  const offset = streamOffsetOf(message)
  if (offset !== undefined) return `offset ${offset}`
  const messageId = messageIdOf(message)
  if (messageId !== undefined) return `id ${messageId}`
  const { exchange, routingKey } = message.fields
  const hash = createHash('sha256')
    .update(JSON.stringify([exchange, routingKey]))
    .update(message.content)
  return hash.digest('base64')
}
