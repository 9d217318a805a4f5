import { describe, expect, it } from 'vitest'
import type { Declaration } from '../../src/desired-state.ts'
import { HaError } from '../../src/errors/ha-error.ts'
import { type FakeConnection, FakeError } from '../../src/testing/fake-driver.ts'
import { linkBench } from './link-bench.ts'

describe('what is declared on a link', () => {
  it('holds before a lease is granted when it gates, and on each later connection again', async () => {
    const { clock, link, acquire, servers } = linkBench()
    link.desiredState.declare(declaration('auth', { gates: true }))
    const lease = await ready(clock, acquire())
    expect(lease.connection.applied).toEqual(['auth'])
    servers[0]?.kill()
    const next = await ready(clock, acquire())
    expect(next.connection.applied).toEqual(['auth'])
  })

  it('is put back again when what it needs is lost while it is being put back', async () => {
    const { clock, link, acquire } = linkBench()
    const answers: (() => void)[] = []
    const abandoned: unknown[] = []
    link.desiredState.declare(declaration('queue'))
    link.desiredState.declare(
      declaration('binding', {
        needs: ['queue'],
        apply: async (connection, signal) => {
          signal.addEventListener('abort', () => abandoned.push((signal.reason as Error).message))
          await new Promise<void>((resolve) => answers.push(resolve))
          await applied(connection, 'binding')
        },
      }),
    )
    const lease = await ready(clock, acquire())
    await clock.advance(10)
    link.invalidate('queue', new Error('deleted'))
    await clock.advance(10)
    // The first try is answered all the same: it was made on the queue that is gone.
    answers[0]?.()
    await clock.advance(10)
    expect(link.desiredState.status('binding')?.kind).toBe('applying')
    answers[1]?.()
    await clock.advance(10)
    expect(link.desiredState.status('binding')?.kind).toBe('held')
    expect(abandoned).toEqual(['deleted'])
    expect(lease.connection.applied.filter((key) => key === 'queue')).toHaveLength(2)
  })

  it('is ended in the middle when it is forgotten', async () => {
    const { clock, link, acquire } = linkBench()
    const abandoned: unknown[] = []
    const apply = (_: FakeConnection, signal: AbortSignal): Promise<void> =>
      new Promise(() => signal.addEventListener('abort', () => abandoned.push(signal.aborted)))
    link.desiredState.declare(declaration('slow', { apply }))
    await ready(clock, acquire())
    await clock.advance(1)
    link.desiredState.forget('slow')
    expect(abandoned).toEqual([true])
  })

  it('does not keep traffic waiting when it does not gate', async () => {
    const { clock, link, acquire } = linkBench()
    link.desiredState.declare(declaration('slow', { apply: () => new Promise(() => undefined) }))
    expect((await ready(clock, acquire())).generation).toBe(1)
  })

  it('is put back in the order of need', async () => {
    const { clock, link, acquire } = linkBench()
    link.desiredState.declare(declaration('consumer', { needs: ['queue'] }))
    link.desiredState.declare(declaration('binding', { needs: ['exchange', 'queue'] }))
    link.desiredState.declare(declaration('queue'))
    link.desiredState.declare(declaration('exchange'))
    const lease = await ready(clock, acquire())
    await clock.advance(10)
    expect(lease.connection.applied.slice(0, 2).sort()).toEqual(['exchange', 'queue'])
    expect(lease.connection.applied.slice(2).sort()).toEqual(['binding', 'consumer'])
  })

  it('holds up only those that need it when it hangs, and is tried again', async () => {
    const { clock, link, acquire } = linkBench()
    let hang = true
    const stubborn = declaration('frozen', {
      apply: (connection) => (hang ? new Promise(() => undefined) : applied(connection, 'frozen')),
    })
    link.desiredState.declare(stubborn)
    link.desiredState.declare(declaration('needs frozen', { needs: ['frozen'] }))
    link.desiredState.declare(declaration('other'))
    const lease = await ready(clock, acquire())
    expect(lease.connection.applied).toEqual(['other'])
    hang = false
    await clock.advance(3_000)
    expect(lease.connection.applied).toEqual(['other', 'frozen', 'needs frozen'])
  })

  it('lets those that need it go first on a new connection when the server has kept it', async () => {
    const { clock, link, acquire, servers } = linkBench()
    let hang = false
    link.desiredState.declare(
      declaration('durable', {
        survives: true,
        apply: (connection) => (hang ? new Promise(() => undefined) : applied(connection, 'durable')),
      }),
    )
    link.desiredState.declare(declaration('consumer', { needs: ['durable'] }))
    await ready(clock, acquire())
    hang = true
    servers[0]?.kill()
    const next = await ready(clock, acquire())
    await clock.advance(10)
    expect(next.connection.applied).toEqual(['consumer'])
  })

  it('is reported once when it is refused, and the rest lives', async () => {
    const { clock, link, acquire, servers } = linkBench()
    const refused: string[] = []
    link.events.on('refused', ({ key, error }) => {
      refused.push(`${key}: ${error.code}`)
    })
    link.desiredState.declare(declaration('odd', { apply: () => Promise.reject(new FakeError('conflict')) }))
    link.desiredState.declare(declaration('fine', { needs: ['odd'] }))
    await ready(clock, acquire())
    servers[0]?.kill()
    const next = await ready(clock, acquire())
    await clock.advance(10)
    expect(next.connection.applied).toEqual(['fine'])
    expect(refused).toEqual(['odd: rejected'])
  })

  it('is asked for again with growing delay, at most once a minute, and at once on a new connection', async () => {
    const { clock, link, acquire, servers } = linkBench()
    const askedAtMs: number[] = []
    const refuse = (): Promise<never> => {
      askedAtMs.push(clock.now())
      return Promise.reject(new FakeError('conflict'))
    }
    link.desiredState.declare(declaration('odd', { apply: refuse }))
    await ready(clock, acquire())
    await clock.advance(600_000)
    const delaysMs = askedAtMs.slice(1).map((atMs, i) => atMs - (askedAtMs[i] ?? 0))
    expect(
      delaysMs.slice(0, 3).every((delayMs, i) => delayMs >= 900 * 2 ** i && delayMs <= 1_000 * 2 ** i),
    ).toBe(true)
    expect(delaysMs.slice(8).every((delayMs) => delayMs >= 54_000 && delayMs <= 60_000)).toBe(true)
    const before = askedAtMs.length
    servers[0]?.kill()
    await ready(clock, acquire())
    expect(askedAtMs).toHaveLength(before + 1)
  })

  it('holds up nothing while it is tried again after a refusal, and holds once a person has mended it', async () => {
    const { clock, link, acquire } = linkBench()
    let answer: () => Promise<void> = () => Promise.reject(new FakeError('conflict'))
    link.desiredState.declare(declaration('odd', { gates: true, apply: () => answer() }))
    await ready(clock, acquire())
    answer = () => new Promise(() => undefined)
    await clock.advance(1_000)
    expect(link.desiredState.status('odd')?.kind).toBe('applying')
    expect(link.take()).toBeDefined()
    answer = () => Promise.resolve()
    await clock.advance(60_000)
    expect(link.desiredState.status('odd')?.kind).toBe('held')
  })

  it('is charged alone for the end of a connection that it caused, and the rest goes on', async () => {
    const { clock, link, acquire, servers } = linkBench()
    const refused: string[] = []
    link.events.on('refused', ({ key, error }) => void refused.push(`${key}: ${error.message}`))
    let ends = 0
    const bad = async (connection: FakeConnection): Promise<never> => {
      ends += 1
      connection.signal({ kind: 'lost', error: new FakeError('poison') })
      return new Promise(() => undefined)
    }
    for (const key of ['a', 'b', 'c']) link.desiredState.declare(declaration(key, { survives: true }))
    link.desiredState.declare(declaration('bad', { survives: true, apply: bad }))
    link.desiredState.declare(declaration('worse', { survives: true, apply: bad }))
    await ready(clock, acquire())
    await clock.advance(1_000)
    expect(refused.map((text) => text.split(':')[0]).sort()).toEqual(['bad', 'worse'])
    const { generation } = await ready(clock, acquire())
    expect(generation).toBeLessThanOrEqual(3)
    await clock.advance(600_000)
    expect((await ready(clock, acquire())).generation).toBe(generation)
    expect(ends).toBeLessThan(40)
    expect(servers[0]?.connections.size).toBe(1)
  })

  it('is found although it lives only as long as its connection, and costs the lease nothing more', async () => {
    const { clock, link, acquire } = linkBench()
    const refused: string[] = []
    link.events.on('refused', ({ key }) => void refused.push(key))
    const bad = async (connection: FakeConnection): Promise<never> => {
      connection.signal({ kind: 'lost', error: new FakeError('poison') })
      return new Promise(() => undefined)
    }
    link.desiredState.declare(declaration('consumer'))
    link.desiredState.declare(declaration('bad consumer', { apply: bad }))
    await ready(clock, acquire())
    await clock.advance(2_000)
    const lease = await ready(clock, acquire())
    expect(refused).toEqual(['bad consumer'])
    expect(lease.connection.applied).toContain('consumer')
  })

  it('can be tried apart although the server does not keep it, and costs the lease nothing more', async () => {
    const { clock, link, acquire } = linkBench()
    let tries = 0
    const bad = async (connection: FakeConnection): Promise<never> => {
      tries += 1
      connection.signal({ kind: 'lost', error: new FakeError('poison') })
      return new Promise(() => undefined)
    }
    link.desiredState.declare(
      declaration('consumer', { tryApart: () => Promise.reject(new FakeError('conflict')) }),
    )
    link.desiredState.declare(declaration('bad consumer', { apply: bad, tryApart: bad }))
    await ready(clock, acquire())
    await clock.advance(2_000)
    const { generation } = await ready(clock, acquire())
    await clock.advance(600_000)
    const lease = await ready(clock, acquire())
    expect([generation, lease.generation]).toEqual([2, 2])
    expect(tries).toBeGreaterThan(8)
    expect(lease.connection.applied).toContain('consumer')
  })

  it('waits for a second connection where there is none, and ends no lease for want of one', async () => {
    const { clock, link, acquire, servers } = linkBench()
    const [server] = servers
    let isPoison = true
    const bad = async (connection: FakeConnection): Promise<void> => {
      if (!isPoison) return applied(connection, 'bad')
      connection.signal({ kind: 'lost', error: new FakeError('poison') })
      return new Promise(() => undefined)
    }
    // The limit of connections is reached as soon as the second lease has its own.
    let accepted = 0
    server!.onAccept = () => {
      accepted += 1
      if (accepted === 2) server!.mode = 'full'
    }
    link.desiredState.declare(declaration('bad', { apply: bad }))
    link.desiredState.declare(declaration('other'))
    await ready(clock, acquire())
    await clock.advance(60_000)
    expect(link.desiredState.status('bad')).toMatchObject({ kind: 'retrying', error: { code: 'full' } })
    const lease = await ready(clock, acquire())
    expect([lease.generation, lease.connection.applied]).toEqual([2, ['other']])
    isPoison = false
    server!.mode = 'up'
    await clock.advance(2_000)
    expect(lease.connection.applied).toEqual(['other', 'bad'])
  })

  it('does not hold up others while it is tried apart', async () => {
    const { clock, link, acquire } = linkBench()
    let tries = 0
    const bad = async (connection: FakeConnection): Promise<void> => {
      tries += 1
      if (tries === 1) connection.signal({ kind: 'lost', error: new FakeError('poison') })
      return new Promise(() => undefined)
    }
    link.desiredState.declare(declaration('hangs', { apply: bad, timeoutMs: 60_000 }))
    await ready(clock, acquire())
    await clock.advance(500)
    link.desiredState.declare(declaration('late'))
    await clock.advance(100)
    expect((await ready(clock, acquire())).connection.applied).toEqual(['late'])
  })

  it('is no suspect for ever: one that passes apart is put back beside the others', async () => {
    const { clock, link, acquire } = linkBench()
    let poison = true
    const once = async (connection: FakeConnection): Promise<void> => {
      if (!poison) return applied(connection, 'innocent')
      poison = false
      connection.signal({ kind: 'lost', error: new FakeError('poison') })
      return new Promise(() => undefined)
    }
    link.desiredState.declare(declaration('innocent', { survives: true, apply: once }))
    await ready(clock, acquire())
    await clock.advance(2_000)
    const lease = await ready(clock, acquire())
    expect(lease.connection.applied).toContain('innocent')
    expect(link.desiredState.isSuspect('innocent')).toBe(false)
  })

  it('begins with short tries again on a new connection when it had held for a while', async () => {
    const { clock, link, acquire, servers } = linkBench()
    const triesOf = new Map<number, number>()
    let [generation, busy] = [1, true]
    const hang = (connection: FakeConnection): Promise<void> => {
      triesOf.set(generation, (triesOf.get(generation) ?? 0) + 1)
      return busy ? new Promise(() => undefined) : applied(connection, 'slow')
    }
    link.desiredState.declare(declaration('slow', { apply: hang }))
    await ready(clock, acquire())
    await clock.advance(10_000)
    busy = false
    await clock.advance(20_000)
    expect(link.desiredState.status('slow')?.kind).toBe('held')
    generation = 2
    busy = true
    servers[0]?.kill()
    await clock.advance(50)
    expect(link.desiredState.failures('slow')).toBe(0)
    await clock.advance(1_000)
    expect(triesOf.get(2)).toBeGreaterThan(1)
  })

  it('is applied again when it is invalidated, with what needs it, and backs off when it flaps', async () => {
    const { clock, link, acquire } = linkBench()
    link.desiredState.declare(declaration('queue'))
    link.desiredState.declare(declaration('consumer', { needs: ['queue'] }))
    const { connection } = await ready(clock, acquire())
    for (let flap = 0; flap < 20; flap++) {
      link.invalidate('queue', new Error('deleted'))
      await clock.advance(50)
    }
    expect(connection.applied.length).toBeGreaterThan(4)
    expect(connection.applied.length).toBeLessThan(24)
  })

  it('moves the link when putting it back shows that the connection is broken', async () => {
    const { clock, link, acquire } = linkBench()
    let broken = true
    link.desiredState.declare(
      declaration('lane', {
        gates: true,
        apply: (connection) => {
          if (!broken) return applied(connection, 'lane')
          broken = false
          return Promise.reject(new FakeError('broken'))
        },
      }),
    )
    const lease = await ready(clock, acquire())
    expect(lease.generation).toBe(2)
  })

  it('ends a wait for it with its refusal', async () => {
    const { clock, link, acquire } = linkBench()
    link.desiredState.declare(declaration('odd', { apply: () => Promise.reject(new FakeError('conflict')) }))
    const waiting = link.desiredState.whenSettled('odd', new AbortController().signal)
    const outcome = expect(waiting).rejects.toBeInstanceOf(HaError)
    await ready(clock, acquire())
    await outcome
  })
})

async function ready<T>(clock: { advance(ms: number): Promise<void> }, lease: Promise<T>): Promise<T> {
  await clock.advance(50)
  return lease
}

function applied(connection: FakeConnection, key: string): Promise<void> {
  connection.applied.push(key)
  return Promise.resolve()
}

function declaration(
  key: string,
  change: Partial<Declaration<FakeConnection>> = {},
): Declaration<FakeConnection> {
  return {
    key,
    needs: [],
    gates: false,
    survives: false,
    timeoutMs: 1_000,
    apply: (connection) => applied(connection, key),
    ...change,
  }
}
