import { expect, test } from 'vitest'
import type { LabPlan } from '../../src/model/plan.ts'
import type { ZookeeperTopology } from '../../src/model/topology.ts'
import { resolveZookeeper } from '../../src/zookeeper/model.ts'
import { planZookeeper } from '../../src/zookeeper/plan.ts'
import { zookeeperDeployment } from './deployment.ts'

const plan = (topology: Partial<ZookeeperTopology> = {}, deployment = zookeeperDeployment): LabPlan =>
  planZookeeper(resolveZookeeper({ kind: 'zookeeper', ...topology }, deployment))
const textOf = (path: string, planned = plan()): string => {
  const content = planned.files.find((file) => file.path === path)?.content
  return content?.kind === 'text' ? content.text : ''
}

test('three servers, with all of them in the connect string', () => {
  expect(plan().url).toBe('127.0.0.1:21000,127.0.0.1:21003,127.0.0.1:21006')
  expect(plan().nodes.map(({ name }) => name)).toEqual(['zk1', 'zk2', 'zk3'])
})

test('the same place and topology give the same plan, and no port twice', () => {
  const ports = plan({ nodes: 7 }).processes.flatMap((process) => process.ports)

  expect(JSON.stringify(plan())).toBe(JSON.stringify(plan()))
  expect(new Set(ports).size).toBe(7 * 3)
})

test('all servers know each other, and each knows its own number', () => {
  const members = [
    'server.1=127.0.0.1:21001:21002',
    'server.2=127.0.0.1:21004:21005',
    'server.3=127.0.0.1:21007:21008',
  ]

  for (const name of ['zk1', 'zk2', 'zk3']) {
    expect(textOf(`nodes/${name}/zoo.cfg`).split('\n')).toEqual(expect.arrayContaining(members))
  }
  expect(textOf('nodes/zk2/data/myid')).toBe('2\n')
  expect(textOf('nodes/zk2/zoo.cfg')).toContain('dataDir=/labs/shop/nodes/zk2/data\n')
})

test('everything listens on the loopback interface, and no server has a web page', () => {
  const conf = textOf('nodes/zk1/zoo.cfg')

  expect(new Set(conf.match(/\d+\.\d+\.\d+\.\d+/g))).toEqual(new Set(['127.0.0.1']))
  expect(conf).toContain('quorumListenOnAllIPs=false\n')
  expect(conf).toContain('admin.enableServer=false\n')
})

test.each([
  [undefined, 4_000],
  [500, 2_000],
  [1_000, 2_000],
  [60_000, 60_000],
])(
  'with timers for %s ms, sessions of %s ms to 60 s are granted, and none of less than two ticks',
  (detectMs, shortest) => {
    const conf = textOf('nodes/zk1/zoo.cfg', plan(detectMs === undefined ? {} : { detectMs }))

    expect(conf).toContain(`minSessionTimeout=${shortest}\nmaxSessionTimeout=60000\n`)
  },
)

test('one server alone runs standalone, and says so', () => {
  const alone = plan({ nodes: 1 })

  expect(textOf('nodes/zk1/zoo.cfg', alone)).not.toContain('server.')
  expect(alone.notes).toEqual([expect.stringContaining('standalone')])
  expect(alone.processes[0]?.ports).toEqual([21_000])
})

test('an even number of servers is noted', () => {
  expect(plan({ nodes: 4 }).notes).toEqual([expect.stringContaining('an odd number is recommended')])
  expect(plan({ nodes: 5 }).notes).toEqual([])
})

test('servers run with nothing of the user’s own environment', () => {
  const [server] = plan().processes

  expect(Object.keys(server?.env ?? {}).sort()).toEqual(['HOME', 'LANG', 'PATH'])
  expect(server?.argv).toContain('/opt/zookeeper.jar:/opt/slf4j.jar')
})

test.each<[Partial<ZookeeperTopology>, string]>([
  [{ nodes: 8 }, 'nodes: expected 1 to 7 nodes, got 8'],
  [{ detectMs: 100 }, 'detectMs: expected 500 to 60000 milliseconds, got 100'],
])('%j is refused', (topology, message) => {
  expect(() => plan(topology)).toThrow(message)
})
