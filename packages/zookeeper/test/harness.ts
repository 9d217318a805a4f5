import { FakeClock, seededRandom, settle } from '@ha/core/testing'
import { type FakeEnsemble, startFakeEnsemble } from '@ha/testing/zookeeper'
import { Zookeeper } from '../src/client.ts'
import { resolveZookeeperOptions, type ZookeeperOptions } from '../src/options.ts'
import { TestProcess } from './test-process.ts'

/** An ensemble without ports and its clients, in a time that passes only while somebody waits for it. */
export interface Harness {
  readonly clock: FakeClock
  readonly ensemble: FakeEnsemble
  /** One more process with a client in it. */
  readonly member: (options?: Partial<ZookeeperOptions>) => Member
  /** Lets time pass until the promise has settled. */
  readonly inTime: <T>(promise: Promise<T>) => Promise<T>
  /** The names of the children of a node, as all servers agree. */
  readonly childrenOf: (path: string) => readonly string[]
  readonly close: () => Promise<void>
}

/** A process with a client in it. */
export interface Member {
  readonly machine: TestProcess
  readonly client: Zookeeper
}

/** The session timeout of every member. */
export const sessionMs = 4_000

/** The unit of the servers' time. */
export const tickMs = 500

/** Three servers; `seed` is what chance comes from. */
export async function openHarness(seed = 1): Promise<Harness> {
  const clock = new FakeClock()
  const ensemble = await startFakeEnsemble({ clock, listens: false, tickTimeMs: tickMs })
  const members: Member[] = []
  const member = (options: Partial<ZookeeperOptions> = {}): Member => {
    const machine = new TestProcess(clock, (endpoint, signal) => ensemble.dial(endpoint, signal))
    const resolved = resolveZookeeperOptions({
      connect: ensemble.connectString,
      sessionTimeoutMs: sessionMs,
      ...options,
    })
    const random = seededRandom(seed * 1_000 + members.length)
    const made = {
      machine,
      client: new Zookeeper(resolved, { clock: machine.clock, random, dial: machine.dial }),
    }
    members.push(made)
    return made
  }
  const inTime = async <T>(promise: Promise<T>): Promise<T> => {
    await passUntilSettled(clock, promise)
    return promise
  }
  return {
    clock,
    ensemble,
    member,
    inTime,
    childrenOf: (path) => childrenIn(ensemble, path),
    close: async () => {
      for (const { machine } of members) {
        machine.thaw()
        machine.heal()
      }
      await inTime(Promise.all(members.map(({ client }) => client.close())))
      await ensemble.close()
    },
  }
}

async function passUntilSettled(clock: FakeClock, promise: Promise<unknown>): Promise<void> {
  let settled = false
  const done = (): void => {
    settled = true
  }
  promise.then(done, done)
  await settle()
  for (let stepMs = 1; !settled; stepMs = Math.min(stepMs * 1.2, 50)) await clock.advance(stepMs)
}

function childrenIn(ensemble: FakeEnsemble, path: string): readonly string[] {
  const beginning = `${path}/`
  const below = [...ensemble.tree().keys()].filter((each) => each.startsWith(beginning))
  return below.map((each) => each.slice(beginning.length)).filter((name) => !name.includes('/'))
}
