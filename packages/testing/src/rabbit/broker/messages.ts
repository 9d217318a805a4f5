import type { FieldTable, FieldValue } from '../wire/field-tables.ts'
import { headersOf, type Properties, readProperties, writeProperties } from '../wire/properties.ts'
import { channelException } from './exceptions.ts'

/** A message as the broker keeps it: properties and body are the publisher's own bytes. */
export interface Message {
  readonly exchange: string
  readonly routingKey: string
  readonly properties: Buffer
  readonly body: readonly Buffer[]
  readonly bodyBytes: number
  readonly persistent: boolean
  readonly expirationMs: number | undefined
}

/** A message on its way into queues: with what routing needs to know. */
export interface Publication {
  readonly message: Message
  readonly routingKeys: readonly string[]
  readonly headers: FieldTable
  readonly userId: string | undefined
}

/** What a publisher sent. */
interface Published {
  readonly exchange: string
  readonly routingKey: string
  readonly properties: Buffer
  readonly body: readonly Buffer[]
  readonly bodyBytes: number
}

/** Reads the parts of a published message that the broker acts on. */
export function publicationOf(published: Published): Publication {
  const properties = readProperties(published.properties)
  const headers = headersOf(properties)
  const message = {
    ...published,
    properties: headers.has('BCC') ? withoutBlindCopies(properties) : published.properties,
    persistent: properties.deliveryMode === 2,
    expirationMs: expirationOf(properties),
  }
  const routingKeys = [published.routingKey, ...keysIn(headers.get('CC')), ...keysIn(headers.get('BCC'))]
  return { message, routingKeys, headers, userId: properties.userId }
}

/** The same message with one header set. */
export function withHeader(message: Message, name: string, value: FieldValue): Message {
  const properties = readProperties(message.properties)
  const headers = new Map(headersOf(properties)).set(name, value)
  return { ...message, properties: writeProperties({ ...properties, headers }) }
}

function withoutBlindCopies(properties: Properties): Buffer {
  const headers = new Map(headersOf(properties))
  headers.delete('BCC')
  return writeProperties({ ...properties, headers })
}

function expirationOf({ expiration }: Properties): number | undefined {
  if (expiration === undefined) return undefined
  if (/^\d+$/.test(expiration)) return Number(expiration)
  throw channelException('PRECONDITION_FAILED', `invalid expiration '${expiration}': no_integer`)
}

function keysIn(copies: FieldValue | undefined): readonly string[] {
  if (copies?.type !== 'array') return []
  return copies.value.flatMap((key) => (key.type === 'longstr' ? [key.value] : []))
}

/** A message in a queue. */
export interface QueuedMessage {
  readonly message: Message
  /** Its place in the queue: counts the messages that were ever added. */
  readonly sequence: number
  /** How often it was requeued. */
  readonly requeues: number
  readonly expiresAtMs: number
}

/** Why a message was dead-lettered, as the `x-death` header names it. */
export type DeathReason = 'rejected' | 'expired' | 'maxlen' | 'delivery_limit'

/** A message that a queue dead-letters. */
interface Death {
  readonly queue: string
  readonly reason: DeathReason
  readonly message: Message
  readonly timeS: number
}

/** The message for the dead-letter exchange, with its deaths in the headers, the latest first. */
export function deadLetterMessage(death: Death): Message {
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
export function isDeadLetterCycle(headers: FieldTable, queue: string): boolean {
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
  return [{ type: 'table', value: newDeathEntry(death, expiration) }, ...earlier]
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

function newDeathEntry({ queue, reason, message, timeS }: Death, expiration: string | undefined): FieldTable {
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
