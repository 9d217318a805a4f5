import { describe, expect, it } from 'vitest'
import { PublishBuffer } from '../../src/publisher/publish-buffer.ts'

const options = { maxMessages: 3, maxBytes: 1_000, maxAgeMs: 60_000, onFull: 'wait', maxWaiting: 2 } as const
const never = new AbortController().signal
const noted = (): void => undefined

describe('the space of the publish buffer', () => {
  it('is bounded in messages', () => {
    const buffer = new PublishBuffer(options)
    expect([buffer.reserve(1), buffer.reserve(1), buffer.reserve(1), buffer.reserve(1)]).toEqual([
      true,
      true,
      true,
      false,
    ])
  })

  it('is bounded in bytes', () => {
    const buffer = new PublishBuffer(options)
    expect([buffer.reserve(900), buffer.reserve(101), buffer.reserve(100)]).toEqual([true, false, true])
  })

  it('says at once that a message can never have space', () => {
    expect(() => new PublishBuffer(options).checkSize(1_001)).toThrow(
      expect.objectContaining({ code: 'too-large', outcome: 'not-done' }),
    )
  })

  it('lets in those who wait in the order in which they came, and nobody before them', async () => {
    const buffer = new PublishBuffer(options)
    buffer.reserve(900)
    const order: string[] = []
    const large = buffer.waitForSpace(200, () => order.push('large'), never)
    const small = buffer.waitForSpace(50, () => order.push('small'), never)
    expect(buffer.reserve(10)).toBe(false)
    buffer.release(900)
    // In the same turn: a publish of the next turn gets its space after them.
    expect(order).toEqual(['large', 'small'])
    await Promise.all([large, small])
    expect([buffer.messages, buffer.bytes, buffer.waiting]).toEqual([2, 250, 0])
  })

  it('turns away those who are too many at its door', () => {
    const buffer = new PublishBuffer(options)
    buffer.reserve(1_000)
    void buffer.waitForSpace(1, noted, never)
    void buffer.waitForSpace(1, noted, never)
    expect(() => buffer.checkWaiting(1)).toThrow(
      expect.objectContaining({ code: 'buffer-full', retryable: true }),
    )
  })

  it('turns away those whose content is too much to be held at its door', () => {
    const buffer = new PublishBuffer(options)
    buffer.reserve(1_000)
    void buffer.waitForSpace(200, noted, never)
    expect(() => buffer.checkWaiting(200)).toThrow(expect.objectContaining({ code: 'buffer-full' }))
  })

  it('forgets whoever gives up waiting', async () => {
    const buffer = new PublishBuffer(options)
    buffer.reserve(1_000)
    const controller = new AbortController()
    const waiting = expect(buffer.waitForSpace(5, noted, controller.signal)).rejects.toBe('enough')
    controller.abort('enough')
    await waiting
    buffer.release(1_000)
    expect([buffer.messages, buffer.bytes, buffer.waiting]).toEqual([0, 0, 0])
  })

  it('turns everybody away when it closes', async () => {
    const buffer = new PublishBuffer(options)
    buffer.reserve(1_000)
    const waiting = expect(buffer.waitForSpace(5, noted, never)).rejects.toMatchObject({
      code: 'buffer-full',
    })
    buffer.close(buffer.fullError('closed'))
    await waiting
    expect(buffer.waiting).toBe(0)
  })
})
