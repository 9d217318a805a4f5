import type { FieldTable, FieldValue } from '../wire/field-value.ts'
import { headersOf, readProperties, writeProperties } from '../wire/properties.ts'
import type { DeathReason } from './entry.ts'
import type { Message } from './message.ts'

/** A message that died in a queue. */
export interface Death {
  readonly queue: string
  readonly reason: DeathReason
  readonly message: Message
  readonly timeS: number
}

/** The message as it goes to the dead-letter exchange: its deaths are told in the headers, the newest first. */
export function afterDeath(death: Death): Message {
  const { message, queue, reason } = death
  const { expiration, ...properties } = readProperties(message.properties)
  const before = headersOf(properties)
  const headers = new Map(before)
  headers.set('x-death', { type: 'array', value: deathsWith(death, expiration, before.get('x-death')) })
  if (!before.has('x-first-death-reason')) {
    headers.set('x-first-death-exchange', text(message.exchange))
    headers.set('x-first-death-queue', text(queue))
    headers.set('x-first-death-reason', text(reason))
  }
  return { ...message, expirationMs: undefined, properties: writeProperties({ ...properties, headers }) }
}

/**
 * Whether a dead message would come back to a queue in which it died, though no consumer rejected it since: it would
 * go round for ever.
 */
export function isEndless(headers: FieldTable, queue: string): boolean {
  const deaths = deathsIn(headers.get('x-death'))
  const last = deaths.findIndex((entry) => fieldOf(entry, 'queue') === queue)
  return last !== -1 && deaths.slice(0, last + 1).every((entry) => fieldOf(entry, 'reason') !== 'rejected')
}

function deathsWith(
  death: Death,
  expiration: string | undefined,
  told: FieldValue | undefined,
): readonly FieldValue[] {
  const earlier = deathsIn(told)
  const same = earlier.find((entry) => isSameDeath(entry, death))
  if (same?.type === 'table') {
    const again = new Map(same.value).set('count', { type: 'long', value: countOf(same.value) + 1n })
    return [{ type: 'table', value: again }, ...earlier.filter((entry) => entry !== same)]
  }
  return [{ type: 'table', value: firstTime(death, expiration) }, ...earlier]
}

function deathsIn(told: FieldValue | undefined): readonly FieldValue[] {
  return told?.type === 'array' ? told.value : []
}

function isSameDeath(entry: FieldValue, { queue, reason }: Death): boolean {
  return fieldOf(entry, 'queue') === queue && fieldOf(entry, 'reason') === reason
}

function fieldOf(entry: FieldValue, name: string): unknown {
  return entry.type === 'table' ? entry.value.get(name)?.value : undefined
}

function countOf(entry: FieldTable): bigint {
  const count = entry.get('count')
  return count?.type === 'long' ? count.value : 1n
}

function firstTime({ queue, reason, message, timeS }: Death, expiration: string | undefined): FieldTable {
  const entry = new Map<string, FieldValue>([
    ['count', { type: 'long', value: 1n }],
    ['reason', text(reason)],
    ['queue', text(queue)],
    ['time', { type: 'timestamp', value: timeS }],
    ['exchange', text(message.exchange)],
    ['routing-keys', { type: 'array', value: [text(message.routingKey)] }],
  ])
  if (expiration !== undefined) entry.set('original-expiration', text(expiration))
  return entry
}

function text(value: string): FieldValue {
  return { type: 'longstr', value }
}
