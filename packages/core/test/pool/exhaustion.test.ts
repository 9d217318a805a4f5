import { describe, expect, it } from 'vitest'
import type { Lease } from '../../src/lease.ts'
import type { FakeConnection } from '../../src/testing/fake-driver.ts'
import { healths, type PoolBench, poolBench } from './pool-bench.ts'

async function allLent(bench: PoolBench): Promise<readonly Lease<FakeConnection>[]> {
  const leases = Array.from({ length: bench.options.size.max }, () => bench.acquire())
  await bench.clock.advance(100)
  return Promise.all(leases)
}

describe('a pool whose connections are all in use', () => {
  it('says how many are in use, for how long, and how many acquires wait', async () => {
    const bench = poolBench({ nodes: 1, leakAfterMs: 60_000 })
    await allLent(bench)
    await bench.clock.advance(900)
    const waiting = expect(bench.acquire({ acquireTimeoutMs: 1_000 })).rejects.toMatchObject({
      code: 'exhausted',
      retryable: true,
      endpoint: 'n1:1',
      message: expect.stringMatching(
        /^no connection was released in time: 3 of 3 connections to n1:1 are in use, the oldest for 19\d\d ms, 1 waiting, 0 connecting; the oldest was acquired at .*exhaustion\.test\.ts/,
      ),
    })
    await bench.clock.advance(1_000)
    await waiting
  })

  it('is no failure of the server', async () => {
    const bench = poolBench({ nodes: 1 })
    await allLent(bench)
    const waiting = expect(bench.acquire({ acquireTimeoutMs: 5_000 })).rejects.toThrow('in use')
    await bench.clock.advance(5_000)
    await waiting
    expect(healths(bench)).toEqual(['up'])
    expect(bench.pool.view.members[0]!.failures).toBe(0)
  })

  it('serves waiters in their order', async () => {
    const bench = poolBench({ nodes: 1 })
    const [lease] = await allLent(bench)
    const served: number[] = []
    for (const number of [1, 2, 3]) {
      bench.acquire().then((next) => {
        served.push(number)
        bench.source.release(next)
      }, expect.fail)
    }
    bench.source.release(lease!)
    await bench.clock.advance(10)
    expect(served).toEqual([1, 2, 3])
  })

  it('leaves out waiters that gave up', async () => {
    const bench = poolBench({ nodes: 1 })
    const [lease] = await allLent(bench)
    const controller = new AbortController()
    const gone = expect(bench.source.acquire(controller.signal)).rejects.toThrow('never mind')
    const next = bench.acquire()
    controller.abort(new Error('never mind'))
    await gone
    bench.source.release(lease!)
    await bench.clock.advance(10)
    expect((await next).connection).toBe(lease!.connection)
  })

  it('takes back a connection from a caller that gave up in the turn of its checkout', async () => {
    const bench = poolBench({ nodes: 1 })
    const [lease] = await allLent(bench)
    const controller = new AbortController()
    const gone = expect(bench.source.acquire(controller.signal)).rejects.toThrow('never mind')
    await bench.clock.advance(10)
    bench.source.release(lease!)
    controller.abort(new Error('never mind'))
    await gone
    await bench.clock.advance(10)
    expect(bench.pool.health().hosts[0]).toMatchObject({ inUse: 2, idle: 1 })
  })

  it('rejects at once when too many wait', async () => {
    const bench = poolBench({ nodes: 1, size: { maxWaiting: 2 } })
    await allLent(bench)
    void bench.acquire()
    void bench.acquire()
    await expect(bench.acquire()).rejects.toMatchObject({
      code: 'exhausted',
      message: expect.stringContaining('too many acquires wait already: 3 of 3'),
    })
  })

  it('emits an event, once until a lease is released', async () => {
    const bench = poolBench({ nodes: 1, size: { maxWaiting: 0 } })
    const told: string[] = []
    bench.pool.events.on('exhausted', ({ endpoint }) => void told.push(endpoint))
    const [lease] = await allLent(bench)
    await expect(bench.acquire()).rejects.toThrow('too many acquires wait already')
    await expect(bench.acquire()).rejects.toThrow('too many acquires wait already')
    expect(told).toEqual(['n1:1'])
    bench.source.release(lease!)
    await bench.acquire()
    await expect(bench.acquire()).rejects.toThrow('too many acquires wait already')
    expect(told).toEqual(['n1:1', 'n1:1'])
  })

  it('emits an event when an acquire gave up waiting', async () => {
    const bench = poolBench({ nodes: 1 })
    const told: string[] = []
    bench.pool.events.on('exhausted', ({ error }) => void told.push(error.message))
    await allLent(bench)
    const waiting = expect(bench.acquire({ acquireTimeoutMs: 100 })).rejects.toThrow()
    await bench.clock.advance(100)
    await waiting
    expect(told).toEqual([expect.stringContaining('gave up waiting: 3 of 3')])
  })

  it('tells run() what the wait was for', async () => {
    const bench = poolBench({ nodes: 1 })
    await allLent(bench)
    void bench.acquire()
    expect(bench.source.unavailableReason()).toMatchObject({ code: 'exhausted' })
  })
})

describe('a nested acquire', () => {
  it('is rejected at once when every caller that holds a connection waits for another one', async () => {
    const bench = poolBench({ nodes: 1 })
    const leases = await allLent(bench)
    void bench.acquire({ within: leases[0] })
    void bench.acquire({ within: leases[1] })
    await expect(bench.acquire({ within: leases[2] })).rejects.toMatchObject({
      code: 'exhausted',
      message: expect.stringMatching(/^a nested acquire would deadlock/),
    })
  })

  it('waits as long as a caller holds a connection and does not wait', async () => {
    const bench = poolBench({ nodes: 1 })
    const leases = await allLent(bench)
    void bench.acquire({ within: leases[0] })
    const nested = bench.acquire({ within: leases[1] })
    bench.source.release(leases[2]!)
    await bench.clock.advance(10)
    expect(bench.pool.health().hosts[0]).toMatchObject({ inUse: 3, waiting: 1 })
    nested.catch(() => undefined)
  })

  it('is told once', async () => {
    const bench = poolBench({ nodes: 1 })
    const told: string[] = []
    bench.pool.events.on('nested', ({ stack }) => void told.push(stack))
    const outer = bench.acquire()
    await bench.clock.advance(50)
    void bench.acquire({ within: await outer })
    void bench.acquire({ within: await outer })
    expect(told).toEqual([expect.stringContaining('exhaustion.test.ts')])
  })

  it('at another endpoint does not deadlock', async () => {
    const bench = poolBench({ nodes: 2, size: { max: 1 } })
    const outer = bench.acquire()
    await bench.clock.advance(50)
    const nested = bench.acquire({
      within: await outer,
      route: () => ({ kind: 'go', endpoints: [bench.servers[1]!.endpoint] }),
    })
    await bench.clock.advance(50)
    expect((await nested).endpoint.host).toBe('n2')
  })
})

describe('a server that is full', () => {
  it('sends the acquire to another candidate, and stays up', async () => {
    const bench = poolBench({ nodes: 2 })
    bench.pool.start()
    await bench.clock.advance(50)
    bench.servers[0]!.mode = 'full'
    const lease = bench.acquire()
    await bench.clock.advance(50)
    expect((await lease).endpoint.host).toBe('n2')
    expect(healths(bench)).toEqual(['up', 'up'])
  })

  it('is asked again, ever less often, when there is no other', async () => {
    const bench = poolBench({ nodes: 1 })
    bench.pool.start()
    await bench.clock.advance(50)
    bench.servers[0]!.mode = 'full'
    const lease = bench.acquire()
    await bench.clock.advance(10_000)
    // The monitor kept its connection; all other dials are for the acquire.
    expect(bench.servers[0]!.dialedAtMs.length).toBeLessThan(40)
    bench.servers[0]!.start()
    await bench.clock.advance(1_100)
    expect((await lease).connection.open).toBe(true)
  })

  it('is named as the reason when the time is up', async () => {
    const bench = poolBench({ nodes: 1 })
    bench.pool.start()
    await bench.clock.advance(50)
    bench.servers[0]!.mode = 'full'
    const waiting = expect(bench.acquire({ acquireTimeoutMs: 1_000 })).rejects.toMatchObject({
      code: 'unreachable',
      message: 'no connection to n1:1: full',
    })
    await bench.clock.advance(1_000)
    await waiting
  })
})
