import { describe, expect, it } from 'vitest'
import { PublishBuffer } from '../../src/publisher/publish-buffer.ts'

const options = { maxMessages: 3, maxBytes: 1_000, maxAgeMs: 60_000, onFull: 'wait', maxWaiting: 2 } as const
const never = new AbortController().signal
const noted = (): void => undefined

describe('the room of the outbox', () => {
  it('is bounded in messages', () => {
    const space = new PublishBuffer(options)
    expect([space.reserve(1), space.reserve(1), space.reserve(1), space.reserve(1)]).toEqual([
      true,
      true,
      true,
      false,
    ])
  })

  it('is bounded in bytes', () => {
    const space = new PublishBuffer(options)
    expect([space.reserve(900), space.reserve(101), space.reserve(100)]).toEqual([true, false, true])
  })

  it('says at once that a message can never have room', () => {
    expect(() => new PublishBuffer(options).checkSize(1_001)).toThrow(
      expect.objectContaining({ code: 'too-large', outcome: 'not-done' }),
    )
  })

  it('lets in those who wait in the order in which they came, and nobody before them', async () => {
    const space = new PublishBuffer(options)
    space.reserve(900)
    const order: string[] = []
    const large = space.waitForSpace(200, () => order.push('large'), never)
    const small = space.waitForSpace(50, () => order.push('small'), never)
    expect(space.reserve(10)).toBe(false)
    space.release(900)
    // In the same turn: whoever comes in the next one comes after them.
    expect(order).toEqual(['large', 'small'])
    await Promise.all([large, small])
    expect([space.messages, space.bytes, space.waiting]).toEqual([2, 250, 0])
  })

  it('turns away those who are too many at its door', () => {
    const space = new PublishBuffer(options)
    space.reserve(1_000)
    void space.waitForSpace(1, noted, never)
    void space.waitForSpace(1, noted, never)
    expect(() => space.checkWaiting(1)).toThrow(
      expect.objectContaining({ code: 'buffer-full', retryable: true }),
    )
  })

  it('turns away those whose content is too much to be held at its door', () => {
    const space = new PublishBuffer(options)
    space.reserve(1_000)
    void space.waitForSpace(200, noted, never)
    expect(() => space.checkWaiting(200)).toThrow(expect.objectContaining({ code: 'buffer-full' }))
  })

  it('forgets whoever gives up waiting', async () => {
    const space = new PublishBuffer(options)
    space.reserve(1_000)
    const controller = new AbortController()
    const waiting = expect(space.waitForSpace(5, noted, controller.signal)).rejects.toBe('enough')
    controller.abort('enough')
    await waiting
    space.release(1_000)
    expect([space.messages, space.bytes, space.waiting]).toEqual([0, 0, 0])
  })

  it('turns everybody away when it closes', async () => {
    const space = new PublishBuffer(options)
    space.reserve(1_000)
    const waiting = expect(space.waitForSpace(5, noted, never)).rejects.toMatchObject({ code: 'buffer-full' })
    space.close(space.fullError('closed'))
    await waiting
    expect(space.waiting).toBe(0)
  })
})
