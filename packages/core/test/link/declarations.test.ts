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

  it('is not asked for again on the connection on which it was refused, and is on the next one', async () => {
    const { clock, link, acquire, servers } = linkBench()
    let asked = 0
    const refuse = (): Promise<never> => {
      asked += 1
      return Promise.reject(new FakeError('conflict'))
    }
    link.desiredState.declare(declaration('odd', { apply: refuse }))
    await ready(clock, acquire())
    link.desiredState.declare(declaration('other'))
    await clock.advance(60_000)
    expect(asked).toBe(1)
    servers[0]?.kill()
    await ready(clock, acquire())
    expect(asked).toBe(2)
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
