import type { Lab } from '@ha/bootstrap'
import { createZookeeper, type Zookeeper } from '@ha/zookeeper'
import { Traffic } from '../harness/traffic.ts'
import { endpointsOf } from '../zookeeper/ensemble.ts'
import type { PublicCall } from './misuse.ts'
import { outcomeOf, type Verdict, type Workload } from './workload.ts'

const rates = { create: 20, count: 2 }
const settleMs = 60_000
const folder = '/chaos'

interface Spec {
  readonly kind: keyof typeof rates
}

/** Creates numbered nodes, and counts under a lock. */
export async function startZookeeperWorkload(lab: Lab, losses: () => number): Promise<Workload> {
  const connect = [...endpointsOf(lab).values()].join(',')
  const zk = createZookeeper({ connect })
  await zk.ready()
  await zk.create(folder)
  await zk.create(`${folder}-count`, '0')
  await zk.create(`${folder}-misuse`)
  const traffic = new Traffic<Spec>({ isWrite: () => true, explain: outcomeOf })
  const lock = zk.lock(`${folder}-lock`)
  const run: Readonly<Record<Spec['kind'], (id: number) => Promise<unknown>>> = {
    create: (id) => zk.create(`${folder}/${id}`),
    count: () =>
      lock.run(async () => {
        const node = await zk.get(`${folder}-count`)
        if (node === undefined) throw new Error('the count is gone')
        const next = Number(node.data.toString()) + 1
        await zk.set(`${folder}-count`, String(next), { version: node.stat.version })
      }),
  }
  traffic.start(rates, (kind) => traffic.note({ kind }, run[kind]))
  return {
    system: 'zookeeper',
    lab,
    losses,
    calls: zookeeperCalls(zk),
    async stop() {
      traffic.stop()
      await traffic.settled(settleMs)
    },
    async verify() {
      await zk.sync()
      const names = (await zk.children(folder))?.names ?? []
      const count = await zk.get(`${folder}-count`)
      return judge(traffic, new Set(names.map(Number)), Number(count?.data.toString()))
    },
    close: () => zk.close(),
  }
}

function judge({ ops }: Traffic<Spec>, found: ReadonlySet<number>, count: number): Verdict {
  const of = (outcome: string, kind?: Spec['kind']) =>
    ops.filter((op) => op.outcome === outcome && (kind === undefined || op.kind === kind))
  const counted = of('done', 'count').length
  const perhaps = of('unknown', 'count').length
  return {
    operations: ops.length,
    done: of('done').length,
    notDone: of('not-done').length,
    unknown: of('unknown').length,
    unsettled: of('unsettled').length,
    lost: of('done', 'create').filter(({ id }) => !found.has(id)).length + Math.max(0, counted - count),
    wronglyNotDone:
      of('not-done', 'create').filter(({ id }) => found.has(id)).length +
      Math.max(0, count - counted - perhaps),
    twice: 0,
  }
}

function zookeeperCalls(zk: Zookeeper): readonly PublicCall[] {
  const path = `${folder}-misuse`
  const limits = { timeoutMs: 3_000 }
  const own = (name: string, args: readonly unknown[], call: PublicCall['call']): PublicCall => ({
    name,
    args,
    call,
  })
  return [
    own('create', [`${path}/a`, 'x', limits], (...args) => zk.create(...(args as [never, never, never]))),
    own('get', [path, limits], (...args) => zk.get(...(args as [never, never]))),
    own('exists', [path, limits], (...args) => zk.exists(...(args as [never, never]))),
    own('children', [path, limits], (...args) => zk.children(...(args as [never, never]))),
    own('set', [path, 'x', limits], (...args) => zk.set(...(args as [never, never, never]))),
    own('delete', [`${path}/a`, limits], (...args) => zk.delete(...(args as [never, never]))),
    own('multi', [[], limits], (...args) => zk.multi(...(args as [never, never]))),
    own('sync', [path, limits], (...args) => zk.sync(...(args as [never, never]))),
    own('acl', [path, limits], (...args) => zk.acl(...(args as [never, never]))),
    own('setAcl', [path, [], limits], (...args) => zk.setAcl(...(args as [never, never, never]))),
    own('lock', [`${path}-lock`, limits], (...args) => zk.lock(...(args as [never, never]))),
    own('lock.run', [async () => 1, limits], (...args) =>
      zk.lock(`${path}-lock`).run(...(args as [never, never])),
    ),
    own('lock.acquire', [limits], (...args) => zk.lock(`${path}-lock`).acquire(...(args as [never]))),
    own('rwLock', [`${path}-rw`], (...args) => void zk.rwLock(...(args as [never]))),
    own('semaphore', [`${path}-sem`, 2], (...args) => void zk.semaphore(...(args as [never, never]))),
    own('election', [`${path}-el`, { id: 'a' }], (...args) => void zk.election(...(args as [never, never]))),
    own('counter', [`${path}-counter`], (...args) => void zk.counter(...(args as [never]))),
    own('counter.add', [1, limits], (...args) =>
      zk.counter(`${path}-counter`).add(...(args as [never, never])),
    ),
    own('barrier', [`${path}-barrier`, 2], (...args) => void zk.barrier(...(args as [never, never]))),
    own('ephemeral', [`${path}/e`, 'x'], (...args) => zk.ephemeral(...(args as [never, never]))),
    own('cache', [path], (...args) => zk.cache(...(args as [never]))),
    own('watch', [path, { kind: 'data' }], (...args) => zk.watch(...(args as [never, never]))),
    own('discovery.register', [{ name: 'a', id: '1', address: 'h', port: 1 }], (...args) =>
      zk.discovery().register(...(args as [never])),
    ),
    own('ready', [limits], (...args) => zk.ready(...(args as [never]))),
  ]
}
