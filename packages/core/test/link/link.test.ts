import { describe, expect, it } from 'vitest'
import { formatEndpoint } from '../../src/address/endpoint.ts'
import { settle } from '../../src/testing/fake-clock.ts'
import { linkBench } from './link-bench.ts'

describe('a link', () => {
  it('does not dial before it is used', async () => {
    const { link, servers } = linkBench()
    await settle()
    expect(link.state.kind).toBe('idle')
    expect(servers.flatMap((server) => server.dialedAtMs)).toEqual([])
  })

  it('gives a connection to all that wait for one', async () => {
    const { clock, acquire } = linkBench()
    const lease = acquire()
    await clock.advance(10)
    expect((await lease).generation).toBe(1)
  })

  it('goes to the next endpoint at once when its server dies', async () => {
    const { clock, link, acquire, servers } = linkBench()
    const first = acquire()
    await clock.advance(10)
    servers[0]?.kill()
    const second = acquire()
    await clock.advance(10)
    expect(formatEndpoint((await second).endpoint)).toBe('n2:1')
    expect((await first).signal.aborted).toBe(true)
    expect(link.state.kind).toBe('ready')
  })

  it('reports from where to where it went, why, and how long each part took', async () => {
    const { clock, link, acquire, servers } = linkBench()
    void acquire()
    await clock.advance(10)
    const failovers: unknown[] = []
    link.events.on('failover', (failover) => {
      failovers.push({ ...failover, error: failover.error.message })
    })
    servers[0]?.kill()
    await clock.advance(10)
    expect(failovers).toEqual([
      { endpoint: 'n1:1', to: 'n2:1', generation: 1, error: 'lost', detectMs: 0, dialMs: 5, restoreMs: 0 },
    ])
  })

  it('notices a server that takes connections and answers nothing, and leaves it', async () => {
    const { clock, link, servers } = linkBench()
    link.start()
    await clock.advance(10)
    servers[0]?.freeze()
    await clock.advance(2_500)
    expect(link.state.kind).toBe('ready')
    expect(link.health().endpoint).toBe('n2:1')
    expect(servers[0]?.connections.size).toBe(0)
  })

  it('leaves a frozen server at once though another server answers at its address', async () => {
    const { link, clock, servers, acquire } = linkBench()
    link.start()
    const lease = acquire()
    await clock.advance(100)
    const [frozen, healthy] = servers
    frozen?.freeze()
    if (frozen !== undefined) frozen.successor = healthy
    await clock.advance(1_950)
    expect((await lease).signal.reason).toMatchObject({ code: 'lost', cause: { code: 'unresponsive' } })
  })

  it('keeps a clogged connection whose endpoint still answers, until the quiet limit', async () => {
    const { clock, link, servers, options } = linkBench()
    link.start()
    await clock.advance(10)
    servers[0]?.clog()
    await clock.advance(options.liveness.quietMs - 200)
    expect(link.health().generation).toBe(1)
    await clock.advance(1_000)
    expect(link.health().generation).toBe(2)
  })

  it('does not hold its own pause against the server', async () => {
    const { clock, link } = linkBench()
    link.start()
    await clock.advance(10)
    for (let pause = 0; pause < 5; pause++) await clock.block(4_000)
    await clock.advance(100)
    expect(link.health().generation).toBe(1)
  })

  it('dials the next endpoint beside a slow one, and ends the loser', async () => {
    const { clock, link, servers } = linkBench()
    servers[0]?.freeze()
    link.start()
    await clock.advance(110)
    expect(link.health().endpoint).toBe('n2:1')
    servers[0]?.start()
    await clock.advance(5_000)
    expect(servers[0]?.connections.size).toBe(0)
  })

  it('closes what completes its handshake after the race is over', async () => {
    const { clock, link, servers } = linkBench()
    for (const server of servers) {
      server.answerMs = 150
      server.ignoresAbort = true
    }
    link.start()
    await clock.advance(1_000)
    expect(servers.map((server) => server.connections.size).sort()).toEqual([0, 0, 1])
  })

  it('waits with jitter between rounds and never spins when everybody refuses', async () => {
    const { clock, link, servers } = linkBench()
    for (const server of servers) server.kill()
    link.start()
    await clock.advance(60_000)
    const dials = servers.flatMap((server) => server.dialedAtMs)
    expect(dials.filter((atMs) => atMs < 1_000).length).toBeLessThan(60)
    expect(dials.length).toBeLessThan(150)
    servers[2]?.start()
    await clock.advance(10_100)
    expect(link.health().endpoint).toBe('n3:1')
  })

  it('backs off from a server that takes connections only to end them', async () => {
    const { clock, link, servers } = linkBench()
    for (const server of servers) server.endsConnectionsAfterMs = 1
    link.start()
    await clock.advance(10_000)
    expect(servers.flatMap((server) => server.dialedAtMs).length).toBeLessThan(60)
  })

  it('rejects waiting acquires at once when every endpoint refuses for good, and dials again only rarely', async () => {
    const { clock, acquire, servers } = linkBench()
    for (const server of servers) server.mode = 'denying'
    const lease = acquire()
    await clock.advance(50)
    await expect(lease).rejects.toMatchObject({
      code: 'refused',
      outcome: 'not-done',
      attempts: { length: 3 },
    })
    await clock.advance(60_000)
    expect(servers[0]?.dialedAtMs.length).toBeLessThan(15)
  })

  it('ignores a report about a connection that is already history', async () => {
    const { clock, link, acquire, servers } = linkBench()
    const first = acquire()
    await clock.advance(10)
    servers[0]?.kill()
    await clock.advance(10)
    link.fail(await first, new Error('an old story'))
    expect(link.health()).toMatchObject({ state: 'ready', generation: 2 })
  })

  it('is suspended while the server asks it to wait, and moves nowhere', async () => {
    const { clock, link, acquire, servers } = linkBench()
    const lease = await ready(clock, acquire())
    lease.connection.signal({ kind: 'suspended', reason: 'memory' })
    expect(link.health()).toMatchObject({ state: 'suspended', reason: 'memory' })
    const waiting = acquire()
    for (let beat = 0; beat < 15; beat++) {
      lease.connection.received += 8
      await clock.advance(4_000)
    }
    lease.connection.signal({ kind: 'resumed' })
    expect((await waiting).generation).toBe(1)
    expect(servers[1]?.dialedAtMs).toEqual([])
  })

  it('goes back to the first endpoint when that is wanted and it is well again', async () => {
    const { clock, link, servers } = linkBench({ strategy: 'sequential', failBackAfterMs: 60_000 })
    link.start()
    await clock.advance(10)
    servers[0]?.kill()
    await clock.advance(100)
    expect(link.health().endpoint).toBe('n2:1')
    servers[0]?.start()
    await clock.advance(60_100)
    expect(link.health()).toMatchObject({ endpoint: 'n1:1', generation: 3, state: 'ready' })
    expect(servers[1]?.connections.size).toBe(0)
  })

  it('drops the connection to go back with when the one in hand dies during the move', async () => {
    const bench = linkBench({
      strategy: 'sequential',
      failBackAfterMs: 60_000,
      beforeMove: () => bench.clock.sleep(1_000),
    })
    const { clock, link, servers } = bench
    link.start()
    await clock.advance(10)
    servers[0]?.kill()
    await clock.advance(100)
    servers[0]?.start()
    await clock.advance(60_100)
    servers[1]?.kill()
    await clock.advance(2_000)
    expect(link.state.kind).toBe('ready')
    expect(servers.map((server) => server.connections.size).sort()).toEqual([0, 0, 1])
  })

  it('settles every wait with closed, and leaves no timer and no connection', async () => {
    const { clock, link, acquire, servers } = linkBench()
    for (const server of servers) server.freeze()
    const waiting = acquire()
    await clock.advance(50)
    const closed = link.close(1_000)
    expect(link.close(1_000)).toBe(closed)
    await clock.advance(1_000)
    await closed
    await expect(waiting).rejects.toMatchObject({ code: 'closed' })
    expect(clock.pending).toBe(0)
    expect(servers.flatMap((server) => [...server.connections])).toEqual([])
  })

  it('ends a connection politely, and a frozen one by its deadline', async () => {
    const { clock, link, servers } = linkBench()
    link.start()
    await clock.advance(10)
    servers[0]?.freeze()
    const closed = link.close(700)
    await clock.advance(699)
    expect(servers[0]?.connections.size).toBe(1)
    await clock.advance(1)
    await closed
    expect(servers[0]?.connections.size).toBe(0)
  })

  it('asks a function for the addresses, and keeps the last good answer when it fails', async () => {
    let answer: () => Promise<readonly { host: string; port: number }[]> = () =>
      Promise.resolve([{ host: 'n2', port: 1 }])
    const { clock, link, servers } = linkBench({ addresses: () => answer() })
    link.start()
    await clock.advance(10)
    expect(link.health().endpoint).toBe('n2:1')
    answer = () => Promise.reject(new Error('no DNS today'))
    servers[1]?.kill()
    await clock.advance(10)
    servers[1]?.start()
    await clock.advance(1_000)
    expect(link.health().endpoint).toBe('n2:1')
  })

  it('reports why the very first addresses are missing', async () => {
    const { clock, link } = linkBench({ addresses: () => Promise.reject(new Error('no DNS today')) })
    link.start()
    await clock.advance(5)
    expect(link.health()).toMatchObject({
      state: 'waiting',
      reason: 'the addresses could not be found: no DNS today',
    })
  })
})

async function ready<T>(clock: { advance(ms: number): Promise<void> }, lease: Promise<T>): Promise<T> {
  await clock.advance(50)
  return lease
}
