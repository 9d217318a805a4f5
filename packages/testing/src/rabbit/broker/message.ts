import type { FieldTable, FieldValue } from '../wire/field-value.ts'
import { headersOf, type Properties, readProperties, writeProperties } from '../wire/properties.ts'
import { channelRefusal } from './refusal.ts'

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
export interface Published {
  readonly exchange: string
  readonly routingKey: string
  readonly properties: Buffer
  readonly body: readonly Buffer[]
  readonly bodyBytes: number
}

/** Reads of a published message what the broker acts on. */
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
  throw channelRefusal('PRECONDITION_FAILED', `invalid expiration '${expiration}': no_integer`)
}

function keysIn(copies: FieldValue | undefined): readonly string[] {
  if (copies?.type !== 'array') return []
  return copies.value.flatMap((key) => (key.type === 'longstr' ? [key.value] : []))
}
