import { FakeClock, seededRandom } from '@ha/core/testing'
import { type FakeEnsemble, type FakeEnsembleOptions, startFakeEnsemble } from '@ha/testing/zookeeper'
import { Zookeeper } from '../src/client.ts'
import { resolveZookeeperOptions, type ZookeeperOptions } from '../src/options.ts'

export interface ClientHarnessOptions extends FakeEnsembleOptions {
  /** When the servers start, by the clock; their ticks are its whole ticks. Default 0. */
  readonly beginsAtMs?: number
}

/** An ensemble and its clients in virtual time, without a socket. */
export interface ClientHarness extends AsyncDisposable {
  readonly clock: FakeClock
  readonly ensemble: FakeEnsemble
  /** Makes another client; the harness closes all of them. */
  client(options?: Partial<ZookeeperOptions>): Zookeeper
}

export async function openClientHarness(
  { beginsAtMs = 0, ...options }: ClientHarnessOptions = {},
  seed = 1,
): Promise<ClientHarness> {
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

/** The result of a promise, while the time advances by at most `ms`. */
export async function settledWithin<T>(clock: FakeClock, ms: number, promise: Promise<T>): Promise<T> {
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
