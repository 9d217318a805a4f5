import { channel } from 'node:diagnostics_channel'
import { describe, expect, it } from 'vitest'
import { HaError } from '../../src/errors/ha-error.ts'
import { deferred } from '../../src/util/deferred.ts'
import { healths, poolBench } from './pool-bench.ts'

const never = new AbortController().signal

describe('a pool', () => {
  it('checks out a connection of the endpoint that the route names first', async () => {
    const bench = poolBench()
    const lease = bench.acquire()
    await bench.clock.advance(50)
    expect((await lease).endpoint.host).toBe('n1')
    expect(healths(bench)).toEqual(['up', 'up', 'up'])
  })

  it('checks out a released connection under a new lease', async () => {
    const bench = poolBench()
    const first = bench.acquire()
    await bench.clock.advance(50)
    bench.source.release(await first)
    const second = await bench.acquire()
    expect(second.connection).toBe((await first).connection)
    expect(second).not.toBe(await first)
  })

  it('rejects with the reason of the caller’s signal at the moment when it fires', async () => {
    const bench = poolBench({ nodes: 1 })
    bench.servers[0]!.freeze()
    const controller = new AbortController()
    bench.clock.after(777, () => controller.abort(new Error('late')))
    const settledAtMs = bench.source.acquire(controller.signal).catch(() => bench.clock.now())
    await bench.clock.advance(1_000)
    expect(await settledAtMs).toBe(777)
  })

  it('waits until the route knows somewhere to go', async () => {
    const bench = poolBench({ nodes: 1 })
    bench.servers[0]!.kill()
    const lease = bench.acquire()
    await bench.clock.advance(5_000)
    bench.servers[0]!.start()
    await bench.clock.advance(1_100)
    expect((await lease).endpoint.host).toBe('n1')
  })

  it('rejects at once with the final error of the route', async () => {
    const error = new HaError('refused', 'nobody here writes')
    const bench = poolBench({ route: () => ({ kind: 'none', error, final: true }) })
    await expect(bench.acquire()).rejects.toBe(error)
  })

  it('rejects with the reason when the time of the acquire is up', async () => {
    const bench = poolBench({ nodes: 1 })
    bench.servers[0]!.kill()
    const waiting = expect(bench.acquire({ acquireTimeoutMs: 500 })).rejects.toThrow('no endpoint is up')
    await bench.clock.advance(500)
    await waiting
  })

  it('rejects with what the route throws, also while the acquire stands in line', async () => {
    let broken = false
    const bench = poolBench({
      nodes: 1,
      size: { max: 1 },
      route: (view) => {
        if (broken) throw new Error('bad route')
        return { kind: 'go', endpoints: view.members.map(({ endpoint }) => endpoint) }
      },
    })
    void bench.acquire()
    await bench.clock.advance(50)
    const waiting = expect(bench.acquire()).rejects.toThrow('bad route')
    broken = true
    await bench.clock.advance(1_100)
    await waiting
  })

  it('moves waiters when the route leads elsewhere', async () => {
    let first = 0
    const bench = poolBench({
      nodes: 2,
      size: { max: 1 },
      route: ({ members }) => ({ kind: 'go', endpoints: [members[first]!.endpoint] }),
    })
    void bench.acquire()
    await bench.clock.advance(50)
    const waiting = bench.acquire()
    first = 1
    await bench.clock.advance(1_100)
    expect((await waiting).endpoint.host).toBe('n2')
  })

  it('follows a list that changes: what left it ends, what came is watched', async () => {
    const listed = deferred<readonly { readonly host: string; readonly port: number }[]>()
    let asked = 0
    const [n1, n2] = ['n1', 'n2'].map((host) => ({ host, port: 1 }))
    const bench = poolBench({ nodes: 2, endpoints: async () => (asked++ === 0 ? [n1!] : listed.promise) })
    const lease = bench.acquire()
    await bench.clock.advance(100)
    listed.resolve([n2!])
    await bench.clock.advance(31_000)
    expect((await lease).signal.reason).toMatchObject({
      message: expect.stringContaining('no longer listed'),
    })
    expect(healths(bench)).toEqual(['up'])
    expect(bench.servers.map((server) => server.connections.size)).toEqual([0, 1])
    const gone = bench.acquire({ route: () => ({ kind: 'go', endpoints: [n1!] }), acquireTimeoutMs: 100 })
    await bench.clock.advance(100)
    await expect(gone).rejects.toThrow('leads to no listed endpoint')
  })

  it('reports its state as plain data', async () => {
    const bench = poolBench({ nodes: 2, size: { min: 1 } })
    void bench.acquire()
    await bench.clock.advance(100)
    bench.servers[1]!.kill()
    await bench.clock.advance(900)
    expect(bench.pool.health()).toMatchObject({
      name: 'test',
      state: 'open',
      hosts: [
        { endpoint: 'n1:1', health: 'up', generation: 1, inUse: 1, idle: 0, free: 2, reading: 'fine' },
        { endpoint: 'n2:1', health: 'down', generation: 1, inUse: 0, free: 0, lastError: 'refused' },
      ],
    })
  })

  it('reports each change of an endpoint, as an event and on its channel', async () => {
    const bench = poolBench({ nodes: 1 })
    const told: string[] = []
    const published: unknown[] = []
    const listener = (message: unknown): void => void published.push(message)
    channel('ha:pool:host').subscribe(listener)
    bench.pool.events.on('host', ({ from, to, error }) => void told.push(`${from} ${to} ${error?.message}`))
    bench.pool.start()
    await bench.clock.advance(100)
    bench.servers[0]!.kill()
    await bench.clock.advance(10)
    channel('ha:pool:host').unsubscribe(listener)
    expect(told).toEqual(['unknown up undefined', 'up down refused'])
    expect(published).toEqual([
      { pool: 'test', endpoint: 'n1:1', from: 'unknown', to: 'up', error: undefined },
      { pool: 'test', endpoint: 'n1:1', from: 'up', to: 'down', error: expect.any(Error) },
    ])
  })
})

describe('the end of a pool', () => {
  it('leaves nothing behind', async () => {
    const bench = poolBench({ size: { min: 1 } })
    const lease = bench.acquire()
    await bench.clock.advance(50)
    bench.source.release(await lease)
    const closed = bench.pool.close(1_000)
    await bench.clock.advance(100)
    expect(await closed).toEqual({ returned: 0, left: 0 })
    expect(bench.servers.map((server) => server.connections.size)).toEqual([0, 0, 0])
    expect(bench.clock.pending).toBe(0)
  })

  it('waits for leases, and no longer than it may', async () => {
    const bench = poolBench()
    const leases = [bench.acquire(), bench.acquire()]
    await bench.clock.advance(50)
    const [one, other] = await Promise.all(leases)
    bench.clock.after(200, () => bench.source.release(one!))
    const startedAtMs = bench.clock.now()
    const closed = bench.pool.close(1_000).then((drained) => ({ drained, atMs: bench.clock.now() }))
    await bench.clock.advance(2_000)
    expect(await closed).toEqual({ drained: { returned: 1, left: 1 }, atMs: startedAtMs + 1_000 })
    expect(other!.signal.reason).toMatchObject({ code: 'lost' })
  })

  it('ends as soon as every lease is released', async () => {
    const bench = poolBench()
    const lease = bench.acquire()
    await bench.clock.advance(50)
    const closed = bench.pool.drain(10_000)
    bench.source.release(await lease)
    await bench.clock.advance(0)
    expect(await closed).toEqual({ returned: 1, left: 0 })
  })

  it('does not wait for the longer time of an earlier drain', async () => {
    const bench = poolBench()
    void bench.acquire()
    await bench.clock.advance(50)
    void bench.pool.drain(60_000)
    const closed = bench.pool.close(500)
    await bench.clock.advance(600)
    expect(await closed).toEqual({ returned: 0, left: 1 })
    expect(bench.clock.pending).toBe(0)
  })

  it('rejects waiting and new acquires', async () => {
    const bench = poolBench({ nodes: 1, size: { max: 1 } })
    void bench.acquire()
    await bench.clock.advance(50)
    const waiting = expect(bench.acquire()).rejects.toMatchObject({ code: 'closed' })
    void bench.pool.drain(1_000)
    await waiting
    await expect(bench.source.acquire(never)).rejects.toMatchObject({ code: 'closed' })
    expect(bench.pool.health().state).toBe('draining')
  })

  it('rejects an acquire that was about to wait when it began', async () => {
    const bench = poolBench({ nodes: 1 })
    const lease = bench.acquire()
    await bench.clock.advance(50)
    bench.source.release(await lease)
    // Idle for so long that it must answer before it is lent.
    await bench.clock.advance(2_000)
    const late = expect(bench.acquire()).rejects.toMatchObject({ code: 'closed' })
    void bench.pool.drain(1_000)
    await bench.clock.advance(10)
    await late
  })

  it('is one, however often it is asked for', async () => {
    const bench = poolBench()
    bench.pool.start()
    expect(bench.pool.close(100)).toBe(bench.pool.close(5_000))
    await bench.clock.advance(200)
  })

  it('of one that was never used is quick', async () => {
    const bench = poolBench()
    expect(await bench.pool.close(1_000)).toEqual({ returned: 0, left: 0 })
    expect(bench.clock.pending).toBe(0)
  })

  it('does not hang on a frozen server', async () => {
    const bench = poolBench({ size: { min: 2 } })
    bench.pool.start()
    await bench.clock.advance(100)
    bench.servers[0]!.freeze()
    const startedAtMs = bench.clock.now()
    const closedAtMs = bench.pool.close(300).then(() => bench.clock.now())
    await bench.clock.advance(2_000)
    expect(await closedAtMs).toBeLessThanOrEqual(startedAtMs + 300)
    expect(bench.servers[0]!.connections.size).toBe(0)
  })
})
