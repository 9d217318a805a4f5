import { describe, expect, it } from 'vitest'
import { Generation } from '../../src/pool/generation.ts'
import { FakeError } from '../../src/testing/fake-driver.ts'
import { microtasks } from '../link/microtasks.ts'
import { healths, type PoolBench, poolBench } from './pool-bench.ts'

async function started(change: Parameters<typeof poolBench>[0] = {}): Promise<PoolBench> {
  const bench = poolBench(change)
  bench.pool.start()
  await bench.clock.advance(100)
  return bench
}

async function lent(bench: PoolBench) {
  const lease = bench.acquire()
  await bench.clock.advance(50)
  return lease
}

describe('the connections to an endpoint that goes down', () => {
  it('end at once, in use and idle', async () => {
    const bench = await started({ size: { min: 2 } })
    const lease = await lent(bench)
    bench.servers[0]!.freeze()
    await bench.clock.advance(2_000)
    expect(lease.signal.reason).toMatchObject({ code: 'lost', endpoint: 'n1:1', retryable: true })
    expect(lease.connection.open).toBe(false)
    expect(bench.servers[0]!.connections.size).toBe(0)
  })

  it('are reported as one', async () => {
    const bench = await started({ size: { min: 2 } })
    await lent(bench)
    const told: unknown[] = []
    bench.pool.events.on('generationOver', (over) => void told.push(over))
    bench.servers[0]!.freeze()
    await bench.clock.advance(2_000)
    expect(told).toEqual([expect.objectContaining({ endpoint: 'n1:1', generation: 1, borrowed: 1, idle: 1 })])
  })

  it('send waiters elsewhere at once', async () => {
    const bench = await started({ size: { max: 1 } })
    await lent(bench)
    const waiting = bench.acquire()
    bench.servers[0]!.kill()
    await bench.clock.advance(50)
    expect((await waiting).endpoint.host).toBe('n2')
  })

  it('are made anew, under a new date, when it is back', async () => {
    const bench = await started({ nodes: 1 })
    const before = await lent(bench)
    bench.servers[0]!.kill()
    await bench.clock.advance(100)
    const waiting = bench.acquire()
    bench.servers[0]!.start()
    await bench.clock.advance(1_200)
    expect([before.generation, (await waiting).generation]).toEqual([1, 2])
  })

  it('do not come back late', async () => {
    const bench = await started({ nodes: 1 })
    const [server] = bench.servers
    server!.ignoresAbort = true
    server!.answerMs = 400
    const waiting = bench.acquire()
    await bench.clock.advance(100)
    const [monitors] = [...server!.connections]
    server!.mode = 'refusing'
    monitors!.lose()
    await bench.clock.advance(10)
    expect(healths(bench)).toEqual(['down'])
    server!.mode = 'up'
    await bench.clock.advance(350)
    expect(bench.pool.health().hosts[0]).toMatchObject({ inUse: 0, idle: 0 })
    expect(server!.connections.size).toBe(0)
    await bench.pool.close(0)
    await expect(waiting).rejects.toMatchObject({ code: 'closed' })
  })
})

describe('a connection in use that is lost', () => {
  it('makes room at once, whether or not its lease is released', async () => {
    const bench = await started({ nodes: 1, size: { max: 1 } })
    const lease = await lent(bench)
    const waiting = bench.acquire()
    lease.connection.lose()
    expect(lease.signal.aborted).toBe(true)
    await bench.clock.advance(50)
    expect((await waiting).connection.open).toBe(true)
  })
})

describe('a connection that is made while its pool is closed', () => {
  // The first handshake is the monitor's, the second one the pool's.
  it.each([1, 2])('is ended, at whichever step after handshake %d that happens', async (handshake) => {
    for (let distance = 0; distance < 30; distance++) {
      const bench = poolBench({ nodes: 1 })
      const [server] = bench.servers
      let closed: Promise<unknown> | undefined
      server!.onAccept = () => {
        if (server!.dialedAtMs.length !== handshake) return
        void microtasks(distance).then(() => {
          closed = bench.pool.close(0)
        })
      }
      void bench.acquire()
      await bench.clock.advance(50)
      await closed
      expect(server!.connections.size, `after ${distance} microtasks`).toBe(0)
      expect(bench.clock.pending, `after ${distance} microtasks`).toBe(0)
    }
  })
})

describe('a connection that is made while its endpoint goes down', () => {
  it('is ended, at whichever step after the handshake that happens', async () => {
    for (let distance = 0; distance < 20; distance++) {
      const { clock, servers, options } = poolBench({ nodes: 1 })
      const [server] = servers
      const generation = new Generation({
        endpoint: server!.endpoint,
        name: 'n1:1',
        number: 1,
        options,
        onFailed: () => undefined,
        onLost: () => undefined,
      })
      server!.onAccept = () => void microtasks(distance).then(() => generation.end(new Error('down')))
      void generation.acquire()
      await clock.advance(50)
      expect(server!.connections.size, `after ${distance} microtasks`).toBe(0)
    }
  })
})

describe('a report', () => {
  it('of an older generation is noise', async () => {
    const bench = await started({ nodes: 1 })
    const old = await lent(bench)
    bench.servers[0]!.kill()
    await bench.clock.advance(10)
    bench.servers[0]!.start()
    await bench.clock.advance(5_000)
    const { view } = bench.pool
    bench.pool.report(old, new FakeError('lost'))
    bench.source.fail(old, new FakeError('lost'))
    bench.source.release(old)
    expect(bench.pool.view).toBe(view)
  })

  it('of an error is not believed, but looked after', async () => {
    const bench = await started()
    const lease = await lent(bench)
    bench.source.fail(lease, new FakeError('lost'))
    expect(bench.pool.view.members[0]).toMatchObject({ health: 'up', failedAtMs: bench.clock.now() })
    bench.servers[0]!.mode = 'refusing'
    for (const connection of bench.servers[0]!.connections) connection.lose()
    await bench.clock.advance(1)
    expect(healths(bench)[0]).toBe('down')
  })

  it('ends the one connection that it is about', async () => {
    const bench = await started()
    const [one, other] = [await lent(bench), await lent(bench)]
    bench.source.fail(one, new FakeError('broken'))
    expect([one.signal.aborted, other.signal.aborted]).toEqual([true, false])
  })

  it('of an error that concerns one call alone changes nothing', async () => {
    const bench = await started()
    const lease = await lent(bench)
    bench.source.fail(lease, new FakeError('conflict'))
    expect(lease.signal.aborted).toBe(false)
  })
})

describe('a crowd that waits for a cluster', () => {
  it('makes no more connections at once than allowed when it is back', async () => {
    const bench = await started({ size: { max: 50, maxWaiting: 500 }, connect: { parallel: 4 } })
    for (const server of bench.servers) server.kill()
    await bench.clock.advance(10_000)
    const served: unknown[] = []
    for (let i = 0; i < 500; i++) {
      bench.acquire().then((lease) => {
        served.push(lease)
        bench.source.release(lease)
      }, expect.fail)
    }
    for (const server of bench.servers) {
      server.maxDialing = 0
      server.start()
    }
    await bench.clock.advance(3_000)
    expect(served).toHaveLength(500)
    // Four, and one for the monitor.
    for (const server of bench.servers) expect(server.maxDialing).toBeLessThanOrEqual(5)
  })

  it('dials a server that refuses only its pool one at a time', async () => {
    const bench = await started({ nodes: 1 })
    bench.servers[0]!.mode = 'full'
    for (let i = 0; i < 3; i++) void bench.acquire()
    await bench.clock.advance(20)
    bench.servers[0]!.maxDialing = 0
    await bench.clock.advance(5_000)
    expect(bench.servers[0]!.maxDialing).toBe(1)
  })
})
