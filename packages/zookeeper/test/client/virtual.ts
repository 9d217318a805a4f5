import { FakeClock, seededRandom } from '@ha/core/testing'
import { type FakeEnsemble, type FakeEnsembleOptions, startFakeEnsemble } from '@ha/testing/zookeeper'
import { Zookeeper } from '../../src/client.ts'
import { resolveZookeeperOptions, type ZookeeperOptions } from '../../src/options.ts'

export interface BenchOptions extends FakeEnsembleOptions {
  /** When the servers come up, by the clock, whose whole ticks are theirs. Default 0. */
  readonly beginsAtMs?: number
}

/** An ensemble and its clients in virtual time, without a socket. */
export interface Bench extends AsyncDisposable {
  readonly clock: FakeClock
  readonly ensemble: FakeEnsemble
  /** Another client; all of them are closed with the bench. */
  client(options?: Partial<ZookeeperOptions>): Zookeeper
}

export async function bench({ beginsAtMs = 0, ...options }: BenchOptions = {}, seed = 1): Promise<Bench> {
  const clock = new FakeClock()
  await clock.advance(beginsAtMs)
  const ensemble = await startFakeEnsemble({ tickTimeMs: 200, clock, listens: false, ...options })
  const random = seededRandom(seed)
  const clients: Zookeeper[] = []
  return {
    clock,
    ensemble,
    client: (more = {}) => {
      const resolved = resolveZookeeperOptions({
        connect: ensemble.connectString,
        sessionTimeoutMs: 4_000,
        ...more,
      })
      const client = new Zookeeper(resolved, { clock, random, dial: (...to) => ensemble.dial(...to) })
      clients.push(client)
      return client
    },
    [Symbol.asyncDispose]: async () => {
      const closing = Promise.all(clients.map((client) => client.close()))
      await clock.advance(3_000)
      await closing
      await ensemble.close()
    },
  }
}

/** What a promise comes to while time passes, at most `ms` of it. */
export async function after<T>(clock: FakeClock, ms: number, promise: Promise<T>): Promise<T> {
  let isSettled = false
  promise.then(
    () => {
      isSettled = true
    },
    () => {
      isSettled = true
    },
  )
  for (let passed = 0; passed < ms && !isSettled; passed += 10) await clock.advance(10)
  return promise
}
