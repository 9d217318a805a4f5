import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, it } from 'vitest'
import type { Failover } from '../../src/link/link-report.ts'
import type { FakeConnection, FakeDriver } from '../../src/testing/fake-driver.ts'
import { linkBench } from './link-bench.ts'
import { microtasks } from './microtasks.ts'

// Further than any chain of promises between a handshake and its lease.
const distances = Array.from({ length: 40 }, (_, i) => i)

describe('a link that is closed', () => {
  it('leaves no connection, at whatever distance from a completed dial it is closed', async () => {
    for (const distance of distances) {
      const { clock, link, servers } = linkBench()
      let closed: Promise<void> | undefined
      servers[0]!.onAccept = () => {
        void microtasks(distance).then(() => {
          closed = link.close(500)
        })
      }
      link.start()
      await clock.advance(510)
      await closed
      expect(open(servers), `${distance} microtasks after the handshake`).toBe(0)
      expect(clock.pending).toBe(0)
    }
  })

  it('leaves no connection, at whatever distance from a planned move it is closed', async () => {
    for (const distance of distances) {
      let closed: Promise<void> | undefined
      const bench = movingBench(async () => {
        void microtasks(distance).then(() => {
          closed = bench.link.close(500)
        })
      })
      await moveBack(bench)
      await bench.clock.advance(500)
      await closed
      expect(open(bench.servers), `${distance} microtasks after the move was free to go`).toBe(0)
      expect(bench.clock.pending).toBe(0)
    }
  })

  it('does not keep the connection of a planned move until the move is prepared', async () => {
    const bench = movingBench(() => bench.clock.sleep(10_000))
    await moveBack(bench)
    expect(open(bench.servers)).toBe(2)
    const closed = bench.link.close(500)
    await bench.clock.advance(500)
    await closed
    expect(open(bench.servers)).toBe(0)
  })

  it('may be closed by a listener that its lease ends', async () => {
    const { clock, link, acquire, servers } = linkBench()
    const lease = acquire()
    await clock.advance(10)
    let closed: Promise<void> | undefined
    ;(await lease).signal.addEventListener('abort', () => {
      closed = link.close(0)
    })
    servers[0]?.kill()
    await clock.advance(100)
    await closed
    expect(link.state.kind).toBe('closed')
    expect(open(servers)).toBe(0)
  })

  it('gives no caller the connection that has been reported as ended', async () => {
    const { clock, acquire, servers } = linkBench()
    const lease = acquire()
    await clock.advance(10)
    let next: ReturnType<typeof acquire> | undefined
    ;(await lease).signal.addEventListener('abort', () => {
      next = acquire()
    })
    servers[0]?.kill()
    await clock.advance(10)
    expect((await next)?.generation).toBe(2)
  })
})

describe('a planned move', () => {
  it('counts against no endpoint and has a cause of its own', async () => {
    const bench = movingBench()
    const { link } = bench
    const lost: unknown[] = []
    const failovers: Failover[] = []
    const published: unknown[] = []
    const hear = (message: unknown): void => void published.push(message)
    await onLesser(bench)
    subscribe('ha:link:lost', hear)
    link.events.on('lost', (loss) => void lost.push(loss))
    link.events.on('failover', (failover) => void failovers.push(failover))
    await moveBack(bench)
    unsubscribe('ha:link:lost', hear)
    expect(lost).toEqual([])
    expect(published).toEqual([])
    expect(failovers).toMatchObject([
      {
        endpoint: 'n2:1',
        to: 'n1:1',
        detectMs: 0,
        dialMs: 0,
        error: { code: 'failed-back', message: 'moved back to n1:1' },
      },
    ])
    expect(link.health().members[1]).toMatchObject({ health: 'up', failures: 0, lastError: undefined })
  })

  it('that cannot be prepared drops the new connection, and reports that', async () => {
    const defect = new TypeError('x is not a function')
    const bench = movingBench(() => Promise.reject(defect))
    const { link, servers } = bench
    await onLesser(bench)
    const causes: unknown[] = []
    link.events.on('failover', ({ error }) => void causes.push(error))
    await moveBack(bench)
    expect(causes).toMatchObject([{ code: 'internal', cause: defect }])
    expect(link.state.kind).toBe('ready')
    expect(open(servers)).toBe(1)
  })
})

describe('a defect of ours', () => {
  it('in the watchdog ends the lease as internal, and the next one is watched', async () => {
    let broken = false
    const { clock, link } = benchWith({
      received: () => {
        if (!broken) return 0
        broken = false
        throw new TypeError('received is not a function')
      },
    })
    const lost: unknown[] = []
    link.events.on('lost', ({ error }) => void lost.push(error))
    link.start()
    await clock.advance(10)
    broken = true
    await clock.advance(1_000)
    expect(lost).toMatchObject([{ code: 'internal', cause: { message: 'received is not a function' } }])
    expect(link.health()).toMatchObject({ state: 'ready', generation: 2 })
    expect(link.health().members[0]).toMatchObject({ health: 'up', failures: 0 })
  })

  it('in the keeping of declarations shows in the health and does not spin', async () => {
    const { clock, link, servers } = linkBench()
    const needs = undefined as never
    link.desiredState.declare({
      key: 'odd',
      needs,
      gates: false,
      survives: false,
      timeoutMs: 1,
      apply: never,
    })
    link.start()
    await clock.advance(20_000)
    expect(servers.flatMap((server) => server.dialedAtMs).length).toBeLessThan(60)
    expect(link.health().reason).toMatch(/in a row ended soon .* the reconciler of the test link failed: /)
  })

  it('where a lease begins stops the link, which then leaves nothing open and can be closed', async () => {
    const { clock, link, servers, acquire } = benchWith({
      watch: () => {
        throw new TypeError('watch is not a function')
      },
    })
    const lease = acquire()
    await clock.advance(10)
    await expect(lease).rejects.toMatchObject({ code: 'internal', message: 'the test link stopped' })
    expect(open(servers)).toBe(0)
    await expect(link.close(100)).resolves.toBeUndefined()
    expect(clock.pending).toBe(0)
  })

  it('in the choice of an endpoint is not reported as a failure to find addresses', async () => {
    const { clock, acquire } = linkBench({ strategy: 'unheard of' as never })
    const lease = acquire()
    await clock.advance(10)
    await expect(lease).rejects.toMatchObject({ code: 'internal', cause: expect.any(TypeError) })
  })
})

type Bench = ReturnType<typeof linkBench>

function movingBench(beforeMove: () => Promise<void> = () => Promise.resolve()): Bench {
  return linkBench({ strategy: 'sequential', failBackAfterMs: 60_000, beforeMove })
}

async function onLesser({ clock, link, servers }: Bench): Promise<void> {
  if (link.state.kind !== 'idle') return
  servers[0]?.kill()
  link.start()
  await clock.advance(100)
  expect(link.health().endpoint).toBe('n2:1')
}

async function moveBack(bench: Bench): Promise<void> {
  await onLesser(bench)
  bench.servers[0]?.start()
  await bench.clock.advance(60_100)
}

function benchWith(change: Partial<FakeDriver>): Bench {
  const bench = linkBench()
  // The driver's methods stand on its prototype: what is set on the object goes before them.
  Object.assign(bench.driver, change)
  return bench
}

function open(servers: Bench['servers']): number {
  return servers.reduce((number, server) => number + server.connections.size, 0)
}

function never(_: FakeConnection): Promise<never> {
  return new Promise(() => undefined)
}
