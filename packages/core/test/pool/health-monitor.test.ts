import { describe, expect, it, vi } from 'vitest'
import { OptionCalls } from '../../src/option-calls.ts'
import { HealthMonitor } from '../../src/pool/health-monitor.ts'
import { microtasks } from '../link/microtasks.ts'
import { healths, type PoolBench, poolBench } from './pool-bench.ts'

async function started(change: Parameters<typeof poolBench>[0] = {}): Promise<PoolBench> {
  const bench = poolBench(change)
  bench.pool.start()
  await bench.clock.advance(100)
  return bench
}

async function advanced<T>({ clock }: PoolBench, promise: Promise<T>): Promise<T> {
  await clock.advance(50)
  return promise
}

async function msUntil({ clock }: PoolBench, holds: () => boolean, mostMs = 10_000): Promise<number> {
  const startedAtMs = clock.now()
  while (!holds() && clock.now() - startedAtMs < mostMs) await clock.advance(1)
  return clock.now() - startedAtMs
}

describe('an endpoint that stands for several servers', () => {
  // The first server freezes; the balancer leads new connections to the second one.
  async function balanced(): Promise<PoolBench & { readonly frozen: PoolBench['servers'][number] }> {
    const bench = await started({ nodes: 2, endpoints: [{ host: 'n1', port: 1 }] })
    return { ...bench, frozen: bench.servers[0]! }
  }

  it('loses the connections to a frozen server though another one answers the probes', async () => {
    const bench = await balanced()
    const held = await advanced(bench, bench.acquire())
    bench.frozen.freeze()
    bench.frozen.successor = bench.servers[1]
    await bench.clock.advance(100)
    const other = await advanced(bench, bench.acquire({ within: undefined }))
    await msUntil(bench, () => held.signal.aborted)
    expect(held.signal.reason).toMatchObject({ code: 'lost', cause: { code: 'unresponsive' } })
    expect([other.connection.server, other.signal.aborted, healths(bench)]).toEqual([
      bench.servers[1],
      false,
      ['up'],
    ])
  })

  it('loses them within two seconds while an operation waits', async () => {
    const bench = await balanced()
    const held = await advanced(bench, bench.acquire())
    bench.frozen.freeze()
    bench.frozen.successor = bench.servers[1]
    expect(await msUntil(bench, () => held.signal.aborted)).toBeLessThanOrEqual(2_000)
  })

  it('keeps connections whose server may have answered: it does not say who it is', async () => {
    const bench = await balanced()
    const held = await advanced(bench, bench.acquire())
    for (const server of bench.servers) server.tellsIdentity = false
    bench.frozen.mode = 'waiting'
    await bench.clock.advance(10_000)
    expect([held.signal.aborted, ...healths(bench)]).toEqual([false, 'up'])
  })

  it('reads from the server that answers by now', async () => {
    const bench = await balanced()
    bench.servers[1]!.reading = 'second'
    bench.frozen.freeze()
    bench.frozen.successor = bench.servers[1]
    await bench.clock.advance(3_000)
    expect(bench.pool.view.members.map(({ reading }) => reading)).toEqual(['second'])
  })
})

describe('a function of the application that every dial waits for', () => {
  it('is no miss of a server, and ends no connection', async () => {
    const bench = await started({ nodes: 1 })
    const held = await advanced(bench, bench.acquire())
    const [server] = bench.servers
    const calls = new OptionCalls(bench.clock)
    const silent = (_: unknown, signal: AbortSignal) =>
      calls.read('password', () => new Promise<never>(() => undefined), signal)
    bench.driver.waitingFor = () => calls.waitingFor
    vi.spyOn(bench.driver, 'open').mockImplementation(silent)
    vi.spyOn(bench.driver, 'probeEndpoint').mockImplementation(silent)
    ;[...server!.connections][0]!.lose()
    await bench.clock.advance(10_000)
    expect([held.signal.aborted, ...healths(bench)]).toEqual([false, 'up'])
    expect(bench.pool.view.members[0]!.lastError?.message).toMatch(/'password' has not answered/)
  })

  it('that fails is no failure of a server', async () => {
    const bench = await started({ nodes: 1 })
    const held = await advanced(bench, bench.acquire())
    const calls = new OptionCalls(bench.clock)
    vi.spyOn(bench.driver, 'open').mockImplementation((_, signal) =>
      calls.read('password', () => Promise.reject(new TypeError('s3cret')), signal),
    )
    ;[...bench.servers[0]!.connections][0]!.lose()
    await bench.clock.advance(10_000)
    expect([held.signal.aborted, ...healths(bench)]).toEqual([false, 'up'])
    expect(bench.pool.view.members[0]!.lastError?.message).toBe(
      "the function of the option 'password' failed (TypeError)",
    )
  })
})

describe('the monitor of an endpoint', () => {
  it('reads the status of each server', async () => {
    const { pool, servers, clock } = await started()
    servers[1]!.reading = 'tired'
    await clock.advance(1_000)
    expect(pool.view.members.map(({ reading }) => reading)).toEqual(['fine', 'tired', 'fine'])
  })

  it('finds a frozen server within two seconds, though it is not in use', async () => {
    const bench = await started()
    bench.servers[0]!.freeze()
    expect(await msUntil(bench, () => healths(bench)[0] === 'down')).toBeLessThanOrEqual(2_000)
  })

  it('finds a frozen server within 1.25 seconds when an operation waits for it', async () => {
    const bench = await started()
    const lease = bench.acquire()
    await bench.clock.advance(50)
    bench.servers[0]!.freeze()
    expect(await msUntil(bench, () => healths(bench)[0] === 'down')).toBeLessThanOrEqual(1_250)
    expect((await lease).signal.aborted).toBe(true)
  })

  it('makes it suspect first', async () => {
    const bench = await started()
    bench.servers[0]!.freeze()
    await msUntil(bench, () => healths(bench)[0] === 'suspect')
    expect(healths(bench)).toEqual(['suspect', 'up', 'up'])
  })

  it('knows at once that a server refuses', async () => {
    const bench = await started()
    bench.servers[0]!.kill()
    await bench.clock.advance(1)
    expect(healths(bench)).toEqual(['down', 'up', 'up'])
  })

  it('does not give up a server that ended one connection only', async () => {
    const bench = await started()
    for (const connection of [...bench.servers[0]!.connections]) connection.lose()
    await bench.clock.advance(50)
    expect(healths(bench)).toEqual(['up', 'up', 'up'])
    expect(bench.servers[0]!.connections.size).toBe(1)
  })

  it('keeps a server up that holds back readings and answers everything else', async () => {
    const bench = await started()
    bench.servers[0]!.mode = 'waiting'
    const seen = new Set<string>()
    for (let second = 0; second < 6; second++) {
      await bench.clock.advance(1_000)
      seen.add(healths(bench)[0]!)
    }
    expect([...seen]).toEqual(['up'])
    expect(bench.pool.view.members[0]!.reading).toBe('fine')
  })

  it('does not blame a server for our own pause', async () => {
    const bench = await started()
    const told: string[] = []
    bench.pool.events.on('host', ({ to }) => void told.push(to))
    for (const server of bench.servers) server.answerMs = 120
    await bench.clock.advance(950)
    await bench.clock.block(5_000)
    await bench.clock.advance(200)
    expect(told).toEqual([])
  })

  it('does not hold a server for dead that is full', async () => {
    const bench = poolBench()
    bench.servers[0]!.mode = 'full'
    bench.pool.start()
    await bench.clock.advance(5_000)
    expect(healths(bench)[0]).toBe('up')
  })

  it('dials a dead server at most once a second, and knows soon that it is back', async () => {
    const bench = await started()
    const [server] = bench.servers
    server!.kill()
    await bench.clock.advance(60_000)
    const dials = server!.dialedAtMs.length
    expect(dials).toBeGreaterThan(48)
    expect(dials).toBeLessThanOrEqual(62)
    server!.start()
    expect(await msUntil(bench, () => healths(bench)[0] !== 'down')).toBeLessThanOrEqual(1_270)
  })

  it('asks a server that said no for good only now and then', async () => {
    const bench = poolBench({ connect: { backoff: { baseMs: 100, maxMs: 10_000 } } })
    bench.servers[0]!.mode = 'denying'
    bench.pool.start()
    await bench.clock.advance(60_000)
    expect(bench.servers[0]!.dialedAtMs.length).toBeLessThanOrEqual(7)
    expect(healths(bench)[0]).toBe('down')
  })

  it('checks a dead server at once when an operation succeeded on it', async () => {
    const bench = await started({ monitor: { retryMs: 20_000 } })
    bench.servers[0]!.kill()
    await bench.clock.advance(100)
    bench.servers[0]!.start()
    bench.pool.report({ endpoint: bench.servers[0]!.endpoint, generation: 1 })
    await bench.clock.advance(60)
    expect(healths(bench)[0]).toBe('probation')
  })

  it('does not dial a dead server more often because of reports', async () => {
    const bench = await started()
    const [server] = bench.servers
    server!.kill()
    await bench.clock.advance(10)
    const dials = server!.dialedAtMs.length
    for (let i = 0; i < 90; i++) {
      bench.pool.report({ endpoint: server!.endpoint, generation: 1 }, new Error('no'))
      await bench.clock.advance(10)
    }
    expect(server!.dialedAtMs.length).toBe(dials)
  })

  it('leaves no connection behind, at whichever step after a handshake it ends', async () => {
    for (let distance = 0; distance < 20; distance++) {
      const { clock, servers, options } = poolBench({ nodes: 1 })
      const [server] = servers
      const { endpoint } = server!
      const monitor = new HealthMonitor({
        endpoint,
        options,
        health: () => 'up',
        observe: () => undefined,
        onServerSilent: () => undefined,
      })
      const controller = new AbortController()
      server!.onAccept = () => void microtasks(distance).then(() => controller.abort(new Error('over')))
      const closed = monitor.run(controller.signal).catch(() => monitor.close(0))
      await clock.advance(50)
      await closed
      expect(server!.connections.size, `after ${distance} microtasks`).toBe(0)
    }
  })

  it('trusts a server that was down only when it has been well for a while', async () => {
    const bench = await started({ monitor: { probationMs: 5_000 } })
    bench.servers[0]!.kill()
    await bench.clock.advance(100)
    bench.servers[0]!.start()
    await bench.clock.advance(3_000)
    expect(healths(bench)[0]).toBe('probation')
    await bench.clock.advance(5_000)
    expect(healths(bench)[0]).toBe('up')
  })

  it('reads a thawed server again over a new connection', async () => {
    const bench = await started()
    bench.servers[0]!.freeze()
    await bench.clock.advance(10_000)
    bench.servers[0]!.start()
    await bench.clock.advance(4_000)
    expect(healths(bench)[0]).toBe('up')
    expect(bench.servers[0]!.connections.size).toBe(1)
  })
})
