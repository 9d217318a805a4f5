import { describe, expect, it } from 'vitest'
import { deliveryOf } from '../../src/consumer/delivery.ts'
import type { ConsumeMessage } from '../../src/driver/types.ts'
import { text } from '../../src/index.ts'

function received(properties: object): ConsumeMessage {
  const fields = { deliveryTag: 1, redelivered: false, exchange: 'x', routingKey: 'k', consumerTag: 'c' }
  return { content: Buffer.from('body'), fields, properties } as unknown as ConsumeMessage
}

const { signal } = new AbortController()

describe('a delivery', () => {
  it('has every property of its message, under the names of publish()', () => {
    const message = received({
      contentType: 'text/plain',
      contentEncoding: 'gzip',
      headers: { 'x-delivery-count': 2, 'x-acquired-count': 5 },
      deliveryMode: 2,
      priority: 4,
      correlationId: 'c',
      replyTo: 'r',
      expiration: '1500',
      messageId: 'm',
      timestamp: 1_700_000_000,
      type: 't',
      userId: 'u',
      appId: 'a',
    })
    expect(deliveryOf(message, 'q', text(), signal)).toMatchObject({
      body: 'body',
      queue: 'q',
      exchange: 'x',
      key: 'k',
      contentType: 'text/plain',
      contentEncoding: 'gzip',
      persistent: true,
      priority: 4,
      correlationId: 'c',
      replyTo: 'r',
      expirationMs: 1_500,
      messageId: 'm',
      timestamp: 1_700_000_000,
      type: 't',
      userId: 'u',
      appId: 'a',
      deliveryCount: 2,
      acquiredCount: 5,
    })
  })

  it('has undefined for a property that is absent or of another type', () => {
    const { contentType, priority, expirationMs, timestamp, persistent, deliveryCount } = deliveryOf(
      received({ expiration: 'soon', priority: 'high', deliveryMode: 1 }),
      'q',
      text(),
      signal,
    )
    expect({ contentType, priority, expirationMs, timestamp, persistent, deliveryCount }).toEqual({
      contentType: undefined,
      priority: undefined,
      expirationMs: undefined,
      timestamp: undefined,
      persistent: false,
      deliveryCount: undefined,
    })
  })

  it('has a Date for a time in its headers, at any depth, and leaves other values as they are', () => {
    const decimal = { '!': 'decimal', value: { places: 1, digits: 15 } }
    const headers = {
      at: { '!': 'timestamp', value: 10 },
      list: [{ time: { '!': 'timestamp', value: 20 } }],
      raw: Buffer.from('b'),
      decimal,
      none: null,
    }
    expect(deliveryOf(received({ headers }), 'q', text(), signal).headers).toEqual({
      at: new Date(10_000),
      list: [{ time: new Date(20_000) }],
      raw: Buffer.from('b'),
      decimal,
      none: null,
    })
  })
})
