import { describe, expect, it } from 'vitest'
import type { ChannelDelivery, HandlerRun } from '../../src/consumer/delivery.ts'
import { StreamPosition } from '../../src/consumer/stream-position.ts'

// 2020-09-13, in milliseconds.
const now = 1_600_000_000_000

/** A position with a subscription that delivers what a test says. */
function started(offset: unknown = 'first') {
  const position = new StreamPosition()
  const given = { 'x-priority': 1, 'x-stream-offset': offset }
  const runs = new Map<number, HandlerRun>()
  const resume = (nowMs = now): unknown => {
    const { 'x-stream-offset': requested, ...others } = position.argumentsFor(given, nowMs)
    expect(others).toEqual({ 'x-priority': 1 })
    position.onSubscribed()
    return requested
  }
  const deliver = (...offsets: readonly number[]): readonly string[] =>
    offsets.map((each) => {
      const decision = position.onDelivery(each, {} as ChannelDelivery)
      if (decision.kind === 'run') runs.set(each, decision.run)
      return decision.kind
    })
  const finish = (isHandled: boolean, ...offsets: readonly number[]): void => {
    for (const each of offsets) position.onFinished(each, runs.get(each) as HandlerRun, isHandled)
  }
  return { position, resume, deliver, finish }
}

describe('the position in a stream', () => {
  it('is behind the last message that is handled', () => {
    const { resume, deliver, finish } = started()
    expect(resume()).toBe('first')
    deliver(7, 8, 9)
    finish(true, 7, 8, 9)
    expect(resume()).toBe(10)
  })

  it('is the first message that is not handled, and later ones that were handled are skipped', () => {
    const { resume, deliver, finish } = started()
    resume()
    deliver(0, 1, 2, 3)
    finish(true, 1, 3)
    finish(false, 0, 2)
    expect(resume()).toBe(0)
    expect(deliver(0, 1, 2, 3, 4)).toEqual(['run', 'handled', 'run', 'handled', 'run'])
    finish(true, 0)
    expect(resume()).toBe(2)
  })

  it('gives a message to the handler that still runs for it', () => {
    const { resume, deliver, finish } = started()
    resume()
    deliver(0, 1)
    finish(true, 0)
    expect(resume()).toBe(1)
    expect(deliver(1)).toEqual(['joined'])
    finish(true, 1)
    expect(resume()).toBe(2)
  })

  it('holds through several reconnects without a message between them', () => {
    const { resume, deliver, finish } = started('1h')
    expect(resume()).toBe('1h')
    deliver(5)
    finish(true, 5)
    expect([resume(), resume(), resume()]).toEqual([6, 6, 6])
  })

  it.each(['next', 'last'])(
    'is the time of the first subscription as long as nothing came after %s',
    (word) => {
      const { resume, deliver, finish } = started(word)
      expect(resume(now)).toBe(word)
      expect(resume(now + 60_000)).toEqual({ '!': 'timestamp', value: now / 1_000 - 2 })
      deliver(3)
      finish(true, 3)
      expect(resume(now + 90_000)).toBe(4)
    },
  )

  it('starts again with the word when no subscription was confirmed', () => {
    const position = new StreamPosition()
    const given = { 'x-stream-offset': 'next' }
    expect([position.argumentsFor(given, now), position.argumentsFor(given, now)]).toEqual([given, given])
  })

  it('takes a Date for a time', () => {
    const { resume } = started(new Date(now))
    expect(resume()).toEqual({ '!': 'timestamp', value: now / 1_000 })
  })

  it('forgets messages that the stream no longer has', () => {
    const { resume, deliver, finish } = started()
    resume()
    deliver(0, 1)
    finish(false, 0, 1)
    expect(resume()).toBe(0)
    expect(deliver(50)).toEqual(['run'])
    finish(true, 50)
    expect(resume()).toBe(51)
  })

  it('starts anew in a new stream of the same name', () => {
    const { position, resume, deliver, finish } = started()
    resume()
    deliver(100)
    finish(true, 100)
    expect(resume()).toBe(101)
    expect(deliver(0, 1)).toEqual(['run', 'run'])
    finish(true, 0, 1)
    expect(resume()).toBe(2)
    position.reset()
    expect(resume()).toBe('first')
  })
})
