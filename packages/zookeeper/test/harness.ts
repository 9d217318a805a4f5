import { FakeClock, seededRandom, settle } from '@ha/core/testing'
import { type FakeEnsemble, type FakeNode, startFakeEnsemble } from '@ha/testing/zookeeper'
import { Zookeeper } from '../src/client.ts'
import type { ServiceView } from '../src/discovery/service-view.ts'
import { resolveZookeeperOptions, type ZookeeperOptions } from '../src/options.ts'
import { TestHost } from './test-host.ts'

/** An ensemble without ports and its clients, in virtual time, which passes only while a test waits. */
export interface Harness extends AsyncDisposable {
  readonly clock: FakeClock
  readonly ensemble: FakeEnsemble
  /** Starts another process with a client. */
  readonly member: (options?: Partial<ZookeeperOptions>) => Member
  /** Lets time pass until the promise has settled. */
  readonly inTime: <T>(promise: Promise<T>) => Promise<T>
  /** The names of the children of a node in the committed tree. */
  readonly childrenOf: (path: string) => readonly string[]
  readonly close: () => Promise<void>
}

/** A process with a client. */
export interface Member {
  readonly host: TestHost
  readonly client: Zookeeper
}

/** The session timeout of every member. */
export const sessionMs = 4_000

/** The servers' `tickTime`. */
export const tickMs = 500

/** Starts three servers. `seed` is the seed of all random numbers. */
export async function openHarness(seed = 1): Promise<Harness> {
  const clock = new FakeClock()
  const ensemble = await startFakeEnsemble({ clock, listens: false, tickTimeMs: tickMs })
  const members: Member[] = []
  const member = (options: Partial<ZookeeperOptions> = {}): Member => {
    const host = new TestHost(clock, (endpoint, signal) => ensemble.dial(endpoint, signal))
    const resolved = resolveZookeeperOptions({
      connect: ensemble.connectString,
      sessionTimeoutMs: sessionMs,
      ...options,
    })
    const random = seededRandom(seed * 1_000 + members.length)
    const made = {
      host,
      client: new Zookeeper(resolved, { clock: host.clock, random, dial: host.dial }),
    }
    members.push(made)
    return made
  }
  const inTime = async <T>(promise: Promise<T>): Promise<T> => {
    await passUntilSettled(clock, promise)
    return promise
  }
  const close = async (): Promise<void> => {
    for (const { host } of members) {
      host.thaw()
      host.heal()
    }
    await inTime(Promise.all(members.map(({ client }) => client.close())))
    await ensemble.close()
  }
  return {
    clock,
    ensemble,
    member,
    inTime,
    childrenOf: (path) => childrenIn(ensemble, path),
    close,
    [Symbol.asyncDispose]: close,
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

/** Lets only the fitting servers accept connections while `work` runs. */
export async function onlyAt<T>(
  { ensemble }: Pick<Harness, 'ensemble'>,
  fits: (node: FakeNode) => boolean,
  work: () => Promise<T>,
): Promise<T> {
  const others = ensemble.nodes.filter((node) => !fits(node))
  for (const node of others) node.refuse()
  const result = await work()
  for (const node of others) node.admit()
  return result
}

/** The ids of a view, sorted. */
export function idsOf(view: ServiceView): readonly string[] {
  return view
    .all()
    .map(({ id }) => id)
    .sort()
}

/** The children of a node with their data, in the committed tree. */
export function contentsOf(
  { ensemble }: Pick<Harness, 'ensemble'>,
  folder: string,
): ReadonlyMap<string, string> {
  const below = [...ensemble.tree()].filter(([path]) => path.startsWith(`${folder}/`))
  return new Map(below.map(([path, { data }]) => [path, String(data)]))
}
