import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InFlight, nextXid, type PendingRequest, RequestQueue } from '../../src/connection/in-flight.ts'
import { getData } from '../../src/protocol/requests.ts'

describe('what is under way', () => {
  it('is answered in the order in which it was sent', () => {
    const inFlight = of(1, 2, 3)
    expect([inFlight.take(2), inFlight.take(1)?.xid, inFlight.take(2)?.xid]).toEqual([undefined, 1, 2])
  })

  it('keeps a number that is set aside out of the order of the others', () => {
    const inFlight = of(1, -2, 2, -2)
    expect([-2, 1, 2, -2].map((xid) => inFlight.take(xid)?.xid)).toEqual([-2, 1, 2, -2])
  })

  it('has no answer that nobody asked for', () => {
    expect([1, 0, -2, -8].map((xid) => new InFlight().take(xid))).toEqual(new Array(4).fill(undefined))
  })

  it('has room up to its limits, and always for one', () => {
    const limits = { maxInFlight: 2, maxInFlightBytes: 25 }
    expect(new InFlight().hasRoom(1_000, limits)).toBe(true)
    expect(of(1).hasRoom(15, limits)).toBe(true)
    expect(of(1).hasRoom(16, limits)).toBe(false)
    expect(of(1, 2).hasRoom(1, limits)).toBe(false)
  })

  it('has room again when something was answered, or when all was taken out', () => {
    const limits = { maxInFlight: 2, maxInFlightBytes: 20 }
    const answered = of(1, 2)
    answered.take(1)
    const drained = of(1, 2)
    expect(drained.drain().map(({ xid }) => xid)).toEqual([1, 2])
    expect([answered.hasRoom(10, limits), drained.hasRoom(10, limits), drained.count]).toEqual([
      true,
      true,
      0,
    ])
  })
})

describe('the number of a request', () => {
  it.each([
    [0, 1],
    [1, 2],
    [0x7fff_fffe, 0x7fff_ffff],
    [0x7fff_ffff, 1],
  ])('after %i is %i', (xid, next) => {
    expect(nextXid(xid)).toBe(next)
  })
})

describe('a queue', () => {
  it('gives what it took, in order, however long it is', () => {
    const lengths = fc.array(fc.record({ pushed: fc.nat(3_000), shifted: fc.nat(3_000) }), { maxLength: 20 })
    fc.assert(
      fc.property(lengths, (steps) => {
        const queue = new RequestQueue<number>()
        const model: number[] = []
        let next = 0
        for (const { pushed, shifted } of steps) {
          const items = Array.from({ length: pushed }, () => next++)
          for (const item of items) queue.push(item)
          model.push(...items)
          const left = Array.from({ length: shifted }, () => queue.shift())
          expect(left.filter((item) => item !== undefined)).toEqual(model.splice(0, shifted))
          expect(queue.first).toBe(model[0])
        }
      }),
      { numRuns: 30 },
    )
  })
})

function of(...numbers: readonly number[]): InFlight {
  const inFlight = new InFlight()
  for (const xid of numbers) inFlight.add(pending(xid))
  return inFlight
}

function pending(xid: number): PendingRequest {
  const request = getData('/a', false)
  return { xid, request, sentAtMs: 0, bytes: 10, answer: () => undefined, reject: () => undefined }
}
