import { describe, expect, it } from 'vitest'
import type { Lease } from '../../src/lease.ts'
import type { FakeConnection } from '../../src/testing/fake-driver.ts'
import { type PoolBench, poolBench } from './pool-bench.ts'

async function borrowed(bench: PoolBench, number: number): Promise<readonly Lease<FakeConnection>[]> {
  const leases = Array.from({ length: number }, () => bench.acquire())
  await bench.clock.advance(100)
  return Promise.all(leases)
}

async function idle(bench: PoolBench, number: number): Promise<readonly FakeConnection[]> {
  const leases = await borrowed(bench, number)
  for (const lease of leases) bench.source.release(lease)
  return leases.map(({ connection }) => connection)
}

describe('a connection that was released', () => {
  it('is checked out again without a probe when it was idle for a moment', async () => {
    const bench = poolBench({ nodes: 1 })
    const [connection] = await idle(bench, 1)
    const before = connection!.received
    expect((await bench.acquire()).connection.received).toBe(before)
  })

  it('has to answer first when it was idle for long', async () => {
    const bench = poolBench({ nodes: 1 })
    const [connection] = await idle(bench, 1)
    await bench.clock.advance(2_000)
    const before = connection!.received
    const [lease] = await borrowed(bench, 1)
    expect(lease!.connection).toBe(connection)
    expect(connection!.received).toBe(before + 1)
  })

  it('is reset before another caller gets it', async () => {
    const bench = poolBench({ nodes: 1, size: { max: 1 } })
    const [lease] = await borrowed(bench, 1)
    lease!.connection.dirty = true
    const next = bench.acquire()
    bench.source.release(lease!)
    await bench.clock.advance(50)
    expect((await next).connection).toMatchObject({ dirty: false })
    expect((await next).connection).toBe(lease!.connection)
  })

  it('is ended when it cannot be reset', async () => {
    const bench = poolBench({ nodes: 1, size: { max: 1 } })
    const [lease] = await borrowed(bench, 1)
    lease!.connection.dirty = true
    lease!.connection.clogged = true
    const next = bench.acquire()
    bench.source.release(lease!)
    await bench.clock.advance(400)
    expect(lease!.connection.open).toBe(false)
    expect((await next).connection).not.toBe(lease!.connection)
  })

  it('is ended when something is still under way on it', async () => {
    const bench = poolBench({ nodes: 1 })
    const [lease] = await borrowed(bench, 1)
    lease!.connection.busy = true
    bench.source.release(lease!)
    expect(lease!.connection.open).toBe(false)
    expect(bench.pool.health().hosts[0]).toMatchObject({ inUse: 0, idle: 0 })
  })

  it('is released once, however often that is called', async () => {
    const bench = poolBench({ nodes: 1 })
    const [first] = await borrowed(bench, 1)
    bench.source.release(first!)
    const second = await bench.acquire()
    bench.source.release(first!)
    expect(bench.pool.health().hosts[0]!.inUse).toBe(1)
    expect(second.signal.aborted).toBe(false)
  })
})

describe('idle connections that are dead', () => {
  it('are not asked one after the other', async () => {
    const bench = poolBench({ nodes: 1, size: { max: 10 } })
    const dead = await idle(bench, 10)
    await bench.clock.advance(2_000)
    for (const connection of dead) connection.clogged = true
    const lease = bench.acquire({ acquireTimeoutMs: 600 })
    await bench.clock.advance(600)
    expect((await lease).connection.clogged).toBe(false)
    expect(dead.filter(({ open }) => open)).toEqual([])
  })

  it('send the acquire elsewhere when one of them does not answer', async () => {
    const bench = poolBench({ nodes: 2, size: { max: 10 } })
    await idle(bench, 10)
    await bench.clock.advance(2_900)
    bench.servers[0]!.freeze()
    const lease = bench.acquire()
    await bench.clock.advance(260)
    expect((await lease).endpoint.host).toBe('n2')
  })

  it('say that a server is unresponsive, with the code for it', async () => {
    const bench = poolBench({ nodes: 1 })
    await idle(bench, 1)
    await bench.clock.advance(2_900)
    bench.servers[0]!.freeze()
    const acquiring = bench.acquire({ acquireTimeoutMs: 400 })
    const outcome = expect(acquiring).rejects.toMatchObject({ cause: { code: 'unresponsive' } })
    await bench.clock.advance(400)
    await outcome
  })

  it('that were lost are forgotten', async () => {
    const bench = poolBench({ nodes: 1, size: { min: 2 } })
    const connections = await idle(bench, 2)
    for (const connection of connections) connection.lose()
    await bench.clock.advance(50)
    expect(bench.pool.health().hosts[0]).toMatchObject({ idle: 2, inUse: 0 })
    expect(bench.pooled(bench.servers[0]!).every(({ open }) => open)).toBe(true)
  })
})

describe('idle connections', () => {
  it('are kept up to the minimum, and made without being asked for', async () => {
    const bench = poolBench({ nodes: 1, size: { min: 2 } })
    bench.pool.start()
    await bench.clock.advance(100)
    expect(bench.pool.health().hosts[0]!.idle).toBe(2)
  })

  it('end when they were idle for long, politely', async () => {
    const bench = poolBench({ nodes: 1, size: { min: 1 }, idle: { timeoutMs: 5_000 } })
    const connections = await idle(bench, 3)
    await bench.clock.advance(7_000)
    expect(connections.filter(({ open }) => open)).toHaveLength(1)
    expect(bench.servers[0]!.connections.size).toBe(2)
  })

  it('are asked for a sign of life now and then', async () => {
    const bench = poolBench({ nodes: 1, idle: { keepaliveMs: 3_000 } })
    const [connection] = await idle(bench, 1)
    const before = connection!.received
    await bench.clock.advance(10_000)
    expect(connection!.received - before).toBeGreaterThanOrEqual(2)
    expect(connection!.received - before).toBeLessThanOrEqual(4)
  })

  it('end at their age, with jitter, and never while in use', async () => {
    const bench = poolBench({
      nodes: 1,
      size: { max: 2 },
      idle: { maxLifetimeMs: 100_000, timeoutMs: Infinity },
    })
    const [held, free] = await borrowed(bench, 2)
    bench.source.release(free!)
    await bench.clock.advance(97_000)
    expect([held!.connection.open, free!.connection.open]).toEqual([true, true])
    await bench.clock.advance(5_000)
    expect([held!.connection.open, free!.connection.open]).toEqual([true, false])
    bench.source.release(held!)
    await bench.clock.advance(50)
    expect(held!.connection.open).toBe(false)
  })

  it('cost no timer while none is in use but those of monitor and housekeeping', async () => {
    const bench = poolBench({ nodes: 1 })
    await idle(bench, 3)
    await bench.clock.advance(500)
    expect(bench.clock.pending).toBe(2)
  })
})

describe('a lease that is held for too long', () => {
  it('is reported once, with the call stack of the acquire', async () => {
    const bench = poolBench({ nodes: 1, leakAfterMs: 2_000 })
    const told: unknown[] = []
    bench.pool.events.on('leak', (leak) => void told.push(leak))
    await borrowed(bench, 1)
    await bench.clock.advance(10_000)
    expect(told).toEqual([
      { endpoint: 'n1:1', heldMs: expect.any(Number), stack: expect.stringContaining('idle.test.ts') },
    ])
  })
})
