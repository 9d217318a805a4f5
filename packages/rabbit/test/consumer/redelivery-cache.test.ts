import { FakeClock } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import type { ChannelDelivery, HandlerRun } from '../../src/consumer/delivery.ts'
import { type DeliveryDecision, RedeliveryCache } from '../../src/consumer/redelivery-cache.ts'
import type { Channel, ConsumeMessage } from '../../src/driver/types.ts'

/** A message as a channel hands it out. */
function handout(over: AbortSignal, redelivered: boolean): ChannelDelivery {
  return { message: { fields: { redelivered } } as ConsumeMessage, channel: {} as Channel, closed: over }
}

const first = (channel: AbortController): ChannelDelivery => handout(channel.signal, false)
const again = (channel: AbortController): ChannelDelivery => handout(channel.signal, true)

function bench() {
  const clock = new FakeClock()
  return { clock, replay: new RedeliveryCache(clock), one: new AbortController(), two: new AbortController() }
}

function runOf(arrival: DeliveryDecision): HandlerRun {
  if (arrival.kind !== 'run') throw new Error(`expected a run, got ${arrival.kind}`)
  return arrival.run
}

describe('a message whose id is known', () => {
  it('is answered again when it comes again and its channel is gone', () => {
    const { replay, one, two } = bench()
    replay.onHandled('a', runOf(replay.onDelivery('a', first(one))), 'ack')
    one.abort()
    expect(replay.onDelivery('a', again(two))).toEqual({
      kind: 'answered',
      messageId: 'a',
      disposition: 'ack',
    })
  })

  it('is answered as often as it comes', () => {
    const { replay, one, two } = bench()
    replay.onHandled('a', runOf(replay.onDelivery('a', first(one))), 'reject')
    one.abort()
    replay.onDelivery('a', again(two))
    two.abort()
    expect(replay.onDelivery('a', again(new AbortController()))).toMatchObject({ disposition: 'reject' })
  })

  it.each(['ack', 'reject'] as const)(
    'is another message when it comes for the first time (after %s)',
    (disposition) => {
      const { replay, one, two } = bench()
      replay.onHandled('a', runOf(replay.onDelivery('a', first(one))), disposition)
      one.abort()
      const run = runOf(replay.onDelivery('a', first(two)))
      two.abort()
      // Neither is the earlier answer remembered for it, nor has it one of its own yet.
      expect(replay.onDelivery('a', again(new AbortController()))).toEqual({ kind: 'joined' })
      expect(replay.onHandled('a', run, 'ack')).toBe(true)
    },
  )

  it('is another message when the channel of the answer stands: there the answer has arrived', () => {
    const { replay, one } = bench()
    replay.onHandled('a', runOf(replay.onDelivery('a', first(one))), 'ack')
    expect(replay.onDelivery('a', again(one)).kind).toBe('run')
  })

  it('joins its handler at work when its channel is gone', () => {
    const { replay, one, two } = bench()
    const run = runOf(replay.onDelivery('a', first(one)))
    one.abort()
    const latest = again(two)
    expect(replay.onDelivery('a', latest)).toEqual({ kind: 'joined' })
    expect(run.latest).toBe(latest)
  })

  it('is never joined to the handler of a message that its channel still holds', () => {
    const { replay, one } = bench()
    const held = again(one)
    const run = runOf(replay.onDelivery('a', held))
    expect(replay.onDelivery('a', again(one)).kind).toBe('run')
    expect(run.latest).toBe(held)
  })

  it('names neither of two that are at work at once: both run again', () => {
    const { replay, one, two } = bench()
    const old = runOf(replay.onDelivery('a', first(one)))
    const copy = runOf(replay.onDelivery('a', first(one)))
    expect(replay.onHandled('a', old, 'ack')).toBe(false)
    one.abort()
    expect(replay.onDelivery('a', again(two)).kind).toBe('run')
    expect(replay.onDelivery('a', again(two)).kind).toBe('run')
    expect(replay.onHandled('a', copy, 'ack')).toBe(false)
  })

  it.each(['requeue', undefined] as const)('runs again after %s', (disposition) => {
    const { replay, one, two } = bench()
    expect(replay.onHandled('a', runOf(replay.onDelivery('a', first(one))), disposition)).toBe(false)
    one.abort()
    expect(replay.onDelivery('a', again(two)).kind).toBe('run')
  })
})

describe('the memory for answers', () => {
  it('lasts ten minutes', async () => {
    const { replay, clock, one, two } = bench()
    replay.onHandled('a', runOf(replay.onDelivery('a', first(one))), 'ack')
    one.abort()
    await clock.advance(600_000)
    expect(replay.onDelivery('a', again(two)).kind).toBe('run')
  })

  it('holds ten thousand', () => {
    const { replay, one, two } = bench()
    for (let i = 0; i <= 10_000; i++)
      replay.onHandled(`m${i}`, runOf(replay.onDelivery(`m${i}`, first(one))), 'ack')
    one.abort()
    expect(['m1', 'm0'].map((id) => replay.onDelivery(id, again(two)).kind)).toEqual(['answered', 'run'])
  })

  it('has no place for messages without an id', () => {
    const { replay, one } = bench()
    const run = runOf(replay.onDelivery(undefined, first(one)))
    expect(replay.onHandled(undefined, run, 'ack')).toBe(false)
  })
})
