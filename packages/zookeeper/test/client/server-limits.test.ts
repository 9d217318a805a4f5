import { describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { openClientHarness, settledWithin } from '../client-harness.ts'

const limit = { maxFrameBytes: 50_000 }
const big = Buffer.alloc(60_000, 'b')

/** Counts the lost connections and the defects of a client. */
function observed(zk: Zookeeper): { lost: number; defects: string[] } {
  const seen = { lost: 0, defects: [] as string[] }
  zk.events.on('state', ({ state }) => {
    if (state === 'suspended') seen.lost += 1
  })
  zk.events.on('defect', ({ error }) => void seen.defects.push(error.message))
  return seen
}

describe('a request that is larger than the servers read', () => {
  const calls: Readonly<Record<string, (zk: Zookeeper) => Promise<unknown>>> = {
    set: (zk) => zk.set('/big', big),
    'set with a version': (zk) => zk.set('/big', big, { version: 0 }),
    create: (zk) => zk.create('/new', big),
    'create of a sequential node': (zk) => zk.create('/new-', big, { sequential: true }),
    'create of an ephemeral node': (zk) => zk.create('/new', big, { kind: 'ephemeral' }),
    multi: (zk) =>
      zk.multi(
        Array.from({ length: 6 }, (_, n) => ({
          kind: 'create',
          path: `/n${n}`,
          data: big.subarray(0, 10_000),
        })),
      ),
    'read of a long path': (zk) => zk.get(`/${'x'.repeat(60_000)}`),
    update: async (zk) => zk.ephemeral('/e', big).update(big),
  }

  it.each(Object.keys(calls))('fails alone, soon and as not done: %s', async (name) => {
    await using harness = await openClientHarness(limit)
    const zk = harness.client()
    const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 3_000, work)
    await within(zk.create('/big'))
    await within(zk.create('/small'))
    const seen = observed(zk)
    const innocent: Promise<unknown>[] = []
    const writing = (async () => {
      for (let n = 0; n < 100; n++) {
        innocent.push(zk.set('/small', String(n)))
        await harness.clock.sleep(10)
      }
    })()

    await expect(within(calls[name]!(zk))).rejects.toMatchObject({
      code: 'too-large',
      outcome: 'not-done',
      message: expect.stringMatching(
        /has \d+ bytes, the servers end the connection .*`jute.maxbuffer` of 127/,
      ),
    })
    await within(writing)

    expect(await Promise.allSettled(innocent)).not.toContainEqual(
      expect.objectContaining({ status: 'rejected' }),
    )
    expect(seen.lost).toBeLessThanOrEqual(2)
    expect(seen.defects).toContainEqual(expect.stringMatching(/jute\.maxbuffer/))
  })

  it('is rejected without a trial for a minute, so that what is repeated does no harm', async () => {
    await using harness = await openClientHarness(limit)
    const zk = harness.client()
    const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 3_000, work)
    const lease = await within(zk.lock('/l').acquire())
    const seen = observed(zk)
    const payload = { blob: 'b'.repeat(60_000) }
    const registration = zk.discovery().register({ name: 'gw', id: 'a', address: '10.0.0.7', payload })
    await harness.clock.advance(50_000)

    expect(seen.lost).toBeLessThanOrEqual(2)
    expect(registration.state).toMatchObject({ kind: 'pending', reason: { code: 'too-large' } })
    expect(lease.valid()).toBe(true)
    await harness.clock.advance(550_000)
    expect(seen.lost).toBeLessThanOrEqual(12)
  })

  it('is written as soon as a server accepts it', async () => {
    await using larger = await openClientHarness()
    const within = <T>(work: Promise<T>): Promise<T> => settledWithin(larger.clock, 3_000, work)
    const zk = larger.client()
    await within(zk.create('/big', big))
    await within(zk.set('/big', big))
    await within(zk.set('/big', Buffer.alloc(70_000)))

    const reads = larger.ensemble.log.entries({ op: 'exists' })
    expect(reads.map(({ bytes }) => Math.floor(bytes / 10_000))).toEqual([6, 7])
  })

  it('does not take one coincidence for a refusal', async () => {
    await using harness = await openClientHarness()
    const zk = harness.client()
    const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 3_000, work)
    await within(zk.create('/big'))
    harness.ensemble.script({ when: { op: 'exists', times: 1 }, do: 'cut', how: 'end' })

    expect((await within(zk.set('/big', big))).version).toBe(1)
  })

  it('does not hold back the others for more than a second when it is not answered', async () => {
    await using harness = await openClientHarness()
    const zk = harness.client()
    const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 5_000, work)
    await within(zk.create('/big'))
    harness.ensemble.script({ when: { op: 'exists' }, do: 'ignore' })
    zk.set('/big', big).catch(() => undefined)
    const begunAtMs = harness.clock.now()

    await within(zk.get('/big'))

    expect(harness.clock.now() - begunAtMs).toBeLessThan(1_200)
  })

  it('is tried again at a server that has ended a connection with one on it', async () => {
    await using harness = await openClientHarness({ nodes: 1 })
    const zk = harness.client()
    const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 5_000, work)
    await within(zk.create('/big', big))
    harness.ensemble.script({ when: { op: 'set-data', times: 1 }, do: 'cut', how: 'end' })
    await expect(within(zk.set('/big', big))).rejects.toMatchObject({ outcome: 'unknown' })
    await within(zk.set('/big', big))

    expect(harness.ensemble.log.entries({ op: 'exists' })).toHaveLength(2)
  })

  it('does not wait for a server that is frozen at the trial', async () => {
    await using harness = await openClientHarness()
    const zk = harness.client()
    const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 10_000, work)
    await within(zk.create('/big'))
    harness.ensemble.script({ when: { op: 'exists', times: 1 }, do: 'silence' })
    const small = zk.get('/big', { timeoutMs: 9_000 })

    await within(zk.set('/big', big, { timeoutMs: 9_000 }))
    await within(small)
  })
})

it('watches that exceed the limit of the servers are restored in smaller requests', async () => {
  await using harness = await openClientHarness(limit)
  const zk = harness.client()
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 5_000, work)
  const name = 'n'.repeat(100)
  const over = new AbortController()
  for (let n = 0; n < 1_000; n++) {
    const events = zk.watch(`/${name}${n}`, { kind: 'exists', signal: over.signal } as never)
    await within(events.next())
  }
  const seen = observed(zk)
  for (const node of harness.ensemble.nodes) for (const connection of node.connections) connection.reset()
  await harness.clock.advance(5_000)

  expect(zk.state).toBe('reconnected')
  expect(seen.lost).toBeLessThanOrEqual(2)
  over.abort()
})

describe('a list of children that exceeds the limit of a reply', () => {
  const names = Array.from(
    { length: 300 },
    (_, n) => `${'child-'.padEnd(90, 'x')}${String(n).padStart(4, '0')}`,
  )
  const fill = async (zk: Zookeeper): Promise<void> => {
    await zk.create('/queue')
    for (let from = 0; from < names.length; from += 50)
      await zk.multi(names.slice(from, from + 50).map((each) => ({ kind: 'create', path: `/queue/${each}` })))
    await zk.create(`/queue/${names[7]}/below/it`, '', { parents: true })
  }

  it('can be deleted, part by part', async () => {
    await using harness = await openClientHarness()
    const zk = harness.client({ maxReplyBytes: 4_096 })
    const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 20_000, work)
    await within(fill(harness.client()))
    await expect(within(zk.children('/queue'))).rejects.toMatchObject({ code: 'too-large' })
    const seen = observed(zk)

    expect(await within(zk.delete('/queue', { recursive: true, timeoutMs: 20_000 }))).toBe(true)

    expect([harness.ensemble.tree().has('/queue'), seen.lost]).toEqual([false, 0])
  })

  it('can be listed with a higher limit', async () => {
    await using harness = await openClientHarness()
    const zk = harness.client({ maxReplyBytes: 40_000_000 })
    const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 20_000, work)
    await within(fill(zk))

    expect((await within(zk.children('/queue')))?.names).toHaveLength(300)
  })

  it('is not fetched again and again by a cache', async () => {
    await using harness = await openClientHarness()
    const zk = harness.client()
    const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 20_000, work)
    await within(fill(zk))
    const small = harness.client({ maxReplyBytes: 4_096 })
    const cache = small.cache('/queue', { depth: 1 })
    await harness.clock.advance(600_000)

    const lists = harness.ensemble.log.entries({ op: 'get-children2', path: '/queue' })
    expect(lists.length).toBeLessThan(25)
    expect(cache.problems.get('/queue')).toMatchObject({ code: 'too-large' })
  })
})

it('a larger limit of requests is an option', async () => {
  await using harness = await openClientHarness({ maxFrameBytes: 5_000_000 })
  const zk = harness.client({ maxRequestBytes: 4_000_000 })
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 3_000, work)
  await within(zk.create('/big', Buffer.alloc(3_000_000)))

  expect((await within(zk.get('/big')))?.data).toHaveLength(3_000_000)
  await expect(within(zk.set('/big', Buffer.alloc(4_000_000)))).rejects.toMatchObject({ code: 'too-large' })
})
