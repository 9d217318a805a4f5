import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Lease } from '../../src/recipes/lock-node.ts'
import { type Harness, type Member, openHarness } from '../harness.ts'

let harness: Harness
let ours: Member
let theirs: Member

beforeEach(async () => {
  harness = await openHarness()
  ours = harness.member()
  theirs = harness.member()
})

afterEach(() => harness.close())

describe('a lock for readers and writers', () => {
  it('is held by many readers at a time', async () => {
    const first = await read(ours)
    const second = await read(theirs)

    expect([first.valid(), second.valid()]).toEqual([true, true])
  })

  it('keeps writers out while somebody reads, and readers behind a writer that came first', async () => {
    const reading = await read(ours)
    const order: string[] = []
    const writing = theirs.client.rwLock('/rw').write.acquire().then(noted(order, 'writer'))
    await harness.clock.advance(50)
    const late = ours.client.rwLock('/rw').read.acquire().then(noted(order, 'reader'))
    await harness.clock.advance(50)
    expect(order).toEqual([])

    await harness.inTime(reading.release())
    const writer = await harness.inTime(writing)
    await harness.clock.advance(50)
    expect(order).toEqual(['writer'])

    await harness.inTime(writer.release())
    await harness.inTime(late)
    expect(order).toEqual(['writer', 'reader'])
  })

  it('lets the readers behind a writer in together', async () => {
    const writer = await harness.inTime(ours.client.rwLock('/rw').write.acquire())
    const reading = [ours, theirs, ours].map(({ client }) => client.rwLock('/rw').read.acquire())
    await harness.clock.advance(50)

    await harness.inTime(writer.release())
    const readers = await harness.inTime(Promise.all(reading))

    expect(readers.every((lease) => lease.valid())).toBe(true)
  })

  it('asks for no more than one look when one of many readers goes', async () => {
    const readers: Lease[] = []
    for (let i = 0; i < 10; i++) readers.push(await read(ours))
    const writing = theirs.client.rwLock('/rw').write.acquire()
    await harness.clock.advance(50)
    harness.ensemble.log.clear()

    await harness.inTime(readers[0]!.release())
    await harness.clock.advance(50)
    expect(harness.ensemble.log.count({ op: 'get-children2' })).toBe(0)

    for (const reader of readers) await harness.inTime(reader.release())
    expect((await harness.inTime(writing)).valid()).toBe(true)
  })
})

function read({ client }: Member): Promise<Lease> {
  return harness.inTime(client.rwLock('/rw').read.acquire())
}

function noted(order: string[], name: string): (lease: Lease) => Lease {
  return (lease) => {
    order.push(name)
    return lease
  }
}
