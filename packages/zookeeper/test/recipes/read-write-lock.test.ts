import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Lease } from '../../src/recipes/lock-node.ts'
import { type Harness, type Member, openHarness } from '../harness.ts'

let bench: Harness
let ours: Member
let theirs: Member

beforeEach(async () => {
  bench = await openHarness()
  ours = bench.member()
  theirs = bench.member()
})

afterEach(() => bench.close())

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
    await bench.clock.advance(50)
    const late = ours.client.rwLock('/rw').read.acquire().then(noted(order, 'reader'))
    await bench.clock.advance(50)
    expect(order).toEqual([])

    await bench.inTime(reading.release())
    const writer = await bench.inTime(writing)
    await bench.clock.advance(50)
    expect(order).toEqual(['writer'])

    await bench.inTime(writer.release())
    await bench.inTime(late)
    expect(order).toEqual(['writer', 'reader'])
  })

  it('lets the readers behind a writer in together', async () => {
    const writer = await bench.inTime(ours.client.rwLock('/rw').write.acquire())
    const reading = [ours, theirs, ours].map(({ client }) => client.rwLock('/rw').read.acquire())
    await bench.clock.advance(50)

    await bench.inTime(writer.release())
    const readers = await bench.inTime(Promise.all(reading))

    expect(readers.every((lease) => lease.valid())).toBe(true)
  })

  it('asks for no more than one look when one of many readers goes', async () => {
    const readers: Lease[] = []
    for (let i = 0; i < 10; i++) readers.push(await read(ours))
    const writing = theirs.client.rwLock('/rw').write.acquire()
    await bench.clock.advance(50)
    bench.ensemble.log.clear()

    await bench.inTime(readers[0]!.release())
    await bench.clock.advance(50)
    expect(bench.ensemble.log.count({ op: 'get-children2' })).toBe(0)

    for (const reader of readers) await bench.inTime(reader.release())
    expect((await bench.inTime(writing)).valid()).toBe(true)
  })
})

function read({ client }: Member): Promise<Lease> {
  return bench.inTime(client.rwLock('/rw').read.acquire())
}

function noted(order: string[], name: string): (lease: Lease) => Lease {
  return (lease) => {
    order.push(name)
    return lease
  }
}
