import { HaError } from '@ha/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  Deque,
  InFlight,
  MessageQueue,
  type PublishEntry,
  SendQueue,
} from '../../src/publisher/message-queue.ts'
import { publishEntry } from './publish-entry.ts'

describe('a deque', () => {
  interface Both {
    readonly deque: Deque<number>
    readonly model: number[]
  }
  const steps: readonly ((both: Both, item: number) => void)[] = [
    ({ deque, model }, item) => {
      deque.pushBack(item)
      model.push(item)
    },
    ({ deque, model }, item) => {
      deque.pushFront(item)
      model.unshift(item)
    },
    ({ deque, model }) => expect(deque.popFront()).toBe(model.shift()),
  ]

  it('is an array, only faster at its front', () => {
    const script = fc.array(fc.tuple(fc.constantFrom(...steps), fc.nat()), { maxLength: 200 })
    fc.assert(
      fc.property(script, (todo) => {
        const both: Both = { deque: new Deque(), model: [] }
        const { deque, model } = both
        for (const [step, item] of todo) {
          step(both, item)
          expect([...deque]).toEqual(model)
          expect([deque.at(-1), deque.at(0), deque.at(model.length)]).toEqual([
            undefined,
            model[0],
            undefined,
          ])
        }
        expect(deque.drain()).toEqual(model)
      }),
    )
  })
})

describe('what is in flight', () => {
  const sent = (count: number): { inFlight: InFlight; entries: readonly PublishEntry[] } => {
    const inFlight = new InFlight()
    const entries = Array.from({ length: count }, (_, i) =>
      publishEntry({ sequence: i + 1, messageId: `m${i + 1}` }),
    )
    for (const entry of entries) inFlight.add(entry)
    return { inFlight, entries }
  }
  const ids = (entries: Iterable<PublishEntry>): string[] => [...entries].map((entry) => entry.messageId)

  it.each<[string, readonly (readonly [number, boolean])[], readonly string[]]>([
    ['one', [[1, false]], ['m1']],
    ['all up to one', [[3, true]], ['m1', 'm2', 'm3']],
    [
      'out of order',
      [
        [2, false],
        [1, false],
        [4, false],
        [3, false],
      ],
      ['m2', 'm1', 'm4', 'm3'],
    ],
    [
      'one, then all up to it and beyond',
      [
        [2, false],
        [4, true],
      ],
      ['m2', 'm1', 'm3', 'm4'],
    ],
    [
      'the same twice',
      [
        [1, false],
        [1, false],
      ],
      ['m1'],
    ],
    ['what was never sent', [[9, false]], []],
  ])('is answered: %s', (_, answers, expected) => {
    const { inFlight } = sent(4)
    const answered = answers.flatMap(([tag, multiple]) => [...inFlight.takeAnswered(tag, multiple)])
    expect(ids(answered)).toEqual(expected)
  })

  it('gives every message to exactly one answer, whatever the order of the answers', () => {
    const order = fc.shuffledSubarray(
      Array.from({ length: 12 }, (_, i) => i + 1),
      { minLength: 12 },
    )
    fc.assert(
      fc.property(order, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (tags, multiples) => {
        const { inFlight } = sent(12)
        const answered = tags.flatMap((tag, i) => [...inFlight.takeAnswered(tag, multiples[i] ?? false)])
        expect(ids(answered).sort()).toEqual(ids(sent(12).entries).sort())
        expect(inFlight.length).toBe(0)
      }),
    )
  })

  it('knows what is left when its channel is lost, in the order of sending', () => {
    const { inFlight } = sent(4)
    inFlight.takeAnswered(2, false)
    expect(ids(inFlight.takeAll())).toEqual(['m1', 'm3', 'm4'])
    expect(inFlight.length).toBe(0)
  })

  it('counts how often each was sent', () => {
    const { entries, inFlight } = sent(1)
    inFlight.takeAll()
    inFlight.add(entries[0]!)
    expect(entries[0]?.attempts).toBe(2)
  })

  it('finds what the broker gives back by its id and the way that it went', () => {
    const { inFlight } = sent(3)
    inFlight.takeAnswered(1, false)
    const way = { exchange: 'orders', key: 'order.new' }
    expect(inFlight.find({ ...way, messageId: 'm2' })?.messageId).toBe('m2')
    expect(inFlight.find({ ...way, messageId: 'm1' })).toBeUndefined()
    expect(inFlight.find({ ...way, messageId: undefined })).toBeUndefined()
    expect(inFlight.find({ ...way, key: 'order.old', messageId: 'm2' })).toBeUndefined()
  })
})

describe('the waiting line', () => {
  const line = (...sequences: number[]): SendQueue => {
    const waiting = new SendQueue()
    for (const sequence of sequences) waiting.add(publishEntry({ sequence }))
    return waiting
  }
  const order = (waiting: SendQueue): number[] => [...waiting].map((entry) => entry.sequence)

  it('takes back what was sent before, in order and ahead of what was not', () => {
    const waiting = line(5, 6)
    waiting.putBack([3, 2, 4].map((sequence) => publishEntry({ sequence })))
    expect(order(waiting)).toEqual([2, 3, 4, 5, 6])
  })

  it('does not take back what is settled', () => {
    const waiting = line(5)
    waiting.putBack([
      publishEntry({ sequence: 2, settled: true }),
      publishEntry({ sequence: 3, returned: '312' }),
    ])
    expect(order(waiting)).toEqual([3, 5])
    expect(waiting.peek()?.returned).toBeUndefined()
  })

  it('forgets what is settled, so that it is not kept for the length of an outage', () => {
    const waiting = line(1, 2, 3, 4)
    for (const entry of waiting) entry.settled = entry.sequence % 2 === 1
    waiting.prune()
    expect(order(waiting)).toEqual([2, 4])
  })

  it('keeps no more of what is settled than of what is not, however many come', () => {
    const waiting = line()
    let longest = 0
    for (let sequence = 0; sequence < 20_000; sequence++) {
      waiting.add(publishEntry({ sequence, settled: sequence % 100 !== 0 }))
      longest = Math.max(longest, waiting.length)
    }
    expect(longest).toBeLessThanOrEqual(1_024)
  })

  it('knows the oldest that was never sent', () => {
    const waiting = line(5, 6)
    waiting.putBack([publishEntry({ sequence: 2 })])
    expect([waiting.peek()?.sequence, waiting.peekUnsent()?.sequence]).toEqual([2, 5])
  })

  it('passes over what is settled', () => {
    const waiting = line(1, 2)
    for (const entry of waiting) entry.settled = entry.sequence === 1
    expect(waiting.peek()?.sequence).toBe(2)
  })
})

describe('a message that was taken from the messages in flight', () => {
  it('is settled by whoever has it now, and only once', () => {
    const settled: string[] = []
    const entry = (messageId: string): PublishEntry =>
      publishEntry({ messageId, onSettled: () => settled.push(messageId) })
    const messages = new MessageQueue()
    const [first, moved] = [entry('first'), entry('moved')]
    messages.inFlight.add(first)
    messages.inFlight.add(moved)
    expect(messages.inFlight.release(({ messageId }) => messageId === 'moved')).toEqual([moved])
    expect(messages.expire(60_000, () => new HaError('timed-out', 'late'))).toBeUndefined()
    expect(messages.failAll(() => new HaError('closed', 'over'))).toEqual({ unknown: 0, notSent: 0 })
    expect(settled).toEqual(['first'])
  })
})
