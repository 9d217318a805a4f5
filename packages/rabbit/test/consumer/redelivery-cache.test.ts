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

function harness() {
  const clock = new FakeClock()
  return { clock, cache: new RedeliveryCache(clock), one: new AbortController(), two: new AbortController() }
}

function runOf(arrival: DeliveryDecision): HandlerRun {
  if (arrival.kind !== 'run') throw new Error(`expected a run, got ${arrival.kind}`)
  return arrival.run
}

describe('a message whose id is known', () => {
  it('is answered again when it comes again and its channel is gone', () => {
    const { cache, one, two } = harness()
    cache.onHandled('a', runOf(cache.onDelivery('a', first(one))), 'ack')
    one.abort()
    expect(cache.onDelivery('a', again(two))).toEqual({
      kind: 'answered',
      messageId: 'a',
      disposition: 'ack',
    })
  })

  it('is answered as often as it comes', () => {
    const { cache, one, two } = harness()
    cache.onHandled('a', runOf(cache.onDelivery('a', first(one))), 'reject')
    one.abort()
    cache.onDelivery('a', again(two))
    two.abort()
    expect(cache.onDelivery('a', again(new AbortController()))).toMatchObject({ disposition: 'reject' })
  })

  it.each(['ack', 'reject'] as const)(
    'is another message when it comes for the first time (after %s)',
    (disposition) => {
      const { cache, one, two } = harness()
      cache.onHandled('a', runOf(cache.onDelivery('a', first(one))), disposition)
      one.abort()
      const run = runOf(cache.onDelivery('a', first(two)))
      two.abort()
      // Neither is the earlier answer remembered for it, nor has it one of its own yet.
      expect(cache.onDelivery('a', again(new AbortController()))).toEqual({ kind: 'joined' })
      expect(cache.onHandled('a', run, 'ack')).toBe(true)
    },
  )

  it('is another message when the channel of the answer stands: there the answer has arrived', () => {
    const { cache, one } = harness()
    cache.onHandled('a', runOf(cache.onDelivery('a', first(one))), 'ack')
    expect(cache.onDelivery('a', again(one)).kind).toBe('run')
  })

  it('joins its handler at work when its channel is gone', () => {
    const { cache, one, two } = harness()
    const run = runOf(cache.onDelivery('a', first(one)))
    one.abort()
    const latest = again(two)
    expect(cache.onDelivery('a', latest)).toEqual({ kind: 'joined' })
    expect(run.latest).toBe(latest)
  })

  it('is never joined to the handler of a message that its channel still holds', () => {
    const { cache, one } = harness()
    const held = again(one)
    const run = runOf(cache.onDelivery('a', held))
    expect(cache.onDelivery('a', again(one)).kind).toBe('run')
    expect(run.latest).toBe(held)
  })

  it('names neither of two that are at work at once: both run again', () => {
    const { cache, one, two } = harness()
    const old = runOf(cache.onDelivery('a', first(one)))
    const copy = runOf(cache.onDelivery('a', first(one)))
    expect(cache.onHandled('a', old, 'ack')).toBe(false)
    one.abort()
    expect(cache.onDelivery('a', again(two)).kind).toBe('run')
    expect(cache.onDelivery('a', again(two)).kind).toBe('run')
    expect(cache.onHandled('a', copy, 'ack')).toBe(false)
  })

  it.each(['requeue', undefined] as const)('runs again after %s', (disposition) => {
    const { cache, one, two } = harness()
    expect(cache.onHandled('a', runOf(cache.onDelivery('a', first(one))), disposition)).toBe(false)
    one.abort()
    expect(cache.onDelivery('a', again(two)).kind).toBe('run')
  })
})

describe('the memory for answers', () => {
  it('lasts ten minutes', async () => {
    const { cache, clock, one, two } = harness()
    cache.onHandled('a', runOf(cache.onDelivery('a', first(one))), 'ack')
    one.abort()
    await clock.advance(600_000)
    expect(cache.onDelivery('a', again(two)).kind).toBe('run')
  })

  it('holds ten thousand', () => {
    const { cache, one, two } = harness()
    for (let i = 0; i <= 10_000; i++)
      cache.onHandled(`m${i}`, runOf(cache.onDelivery(`m${i}`, first(one))), 'ack')
    one.abort()
    expect(['m1', 'm0'].map((id) => cache.onDelivery(id, again(two)).kind)).toEqual(['answered', 'run'])
  })

  it('has no place for messages without an id', () => {
    const { cache, one } = harness()
    const run = runOf(cache.onDelivery(undefined, first(one)))
    expect(cache.onHandled(undefined, run, 'ack')).toBe(false)
  })
})

describe('a message without an id', () => {
  const received = (over: AbortSignal, content: string, redelivered: boolean): ChannelDelivery => ({
    message: {
      content: Buffer.from(content),
      fields: { redelivered, exchange: '', routingKey: 'q' },
      properties: {},
    } as unknown as ConsumeMessage,
    channel: {} as Channel,
    closed: over,
  })

  it('joins the running handler of its equal whose channel is gone, and each handler is joined once', () => {
    const { cache, one, two } = harness()
    const runs = ['x', 'x'].map((content) =>
      runOf(cache.onDelivery(undefined, received(one.signal, content, false))),
    )
    one.abort()
    const redelivered = ['x', 'x', 'x'].map(
      (content) => cache.onDelivery(undefined, received(two.signal, content, true)).kind,
    )
    expect(redelivered).toEqual(['joined', 'joined', 'run'])
    expect(runs.every(({ latest }) => latest.closed === two.signal)).toBe(true)
  })

  it.each([
    ['its content differs', 'y', true, true],
    ['the channel of the other one is open', 'x', true, false],
    ['it comes for the first time', 'x', false, true],
  ])('is another message when %s', (_, content, isRedelivered, isClosed) => {
    const { cache, one, two } = harness()
    cache.onDelivery(undefined, received(one.signal, 'x', false))
    if (isClosed) one.abort()
    expect(cache.onDelivery(undefined, received(two.signal, content, isRedelivered)).kind).toBe('run')
  })

  it('is answered once when its handler finished after its channel was closed', () => {
    const { cache, one, two } = harness()
    const run = runOf(cache.onDelivery(undefined, received(one.signal, 'x', false)))
    one.abort()
    expect(cache.onHandled(undefined, run, 'ack')).toBe(true)
    const redelivered = ['x', 'x'].map((content) =>
      cache.onDelivery(undefined, received(two.signal, content, true)),
    )
    expect(redelivered).toMatchObject([{ kind: 'answered', disposition: 'ack' }, { kind: 'run' }])
  })

  it('is forgotten with the end of its handler', () => {
    const { cache, one } = harness()
    const run = runOf(cache.onDelivery(undefined, received(one.signal, 'x', false)))
    cache.onHandled(undefined, run, 'ack')
    expect(cache.isEmpty).toBe(true)
  })
})
