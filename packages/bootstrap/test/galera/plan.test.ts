import { describe, expect, test } from 'vitest'
import { resolveGalera } from '../../src/galera/model.ts'
import { planGalera } from '../../src/galera/plan.ts'
import type { GaleraTopology } from '../../src/model/topology.ts'
import { mariadbDeployment, rootsPlace } from '../mariadb/deployment.ts'

const plan = (topology: Partial<GaleraTopology> = {}, deployment = mariadbDeployment) =>
  planGalera(resolveGalera({ kind: 'galera', ...topology }, deployment))
const textOf = (path: string, planned = plan()): string => {
  const content = planned.files.find((file) => file.path === path)?.content
  return content?.kind === 'text' ? content.text : ''
}

test('three nodes, with all of them in the address of the application', () => {
  expect(plan().url).toBe(
    'jdbc:mariadb:sequential://127.0.0.1:21000,127.0.0.1:21004,127.0.0.1:21008/ha?user=ha&password=ha',
  )
  expect(plan().nodes.map(({ name }) => name)).toEqual(['db1', 'db2', 'db3'])
})

test('the same place and topology give the same plan, and no port twice', () => {
  const ports = plan({ nodes: 7, arbitrator: true }).processes.flatMap((process) => process.ports)

  expect(JSON.stringify(plan())).toBe(JSON.stringify(plan()))
  expect(new Set(ports).size).toBe(7 * 4 + 1)
})

test('no file founds a cluster: only the first node does, by an argument that it gets once', () => {
  const planned = plan()

  for (const file of planned.files) expect(JSON.stringify(file)).not.toMatch(/new.cluster/)
  expect(planned.form.filter((step) => step.do === 'found')).toEqual([
    { do: 'found', process: 'db1', args: ['--wsrep-new-cluster'] },
  ])
  expect(textOf('conf/db1.cnf')).toContain('wsrep_cluster_address=gcomm://127.0.0.1:21001,127.0.0.1:21005,')
})

test('a node starts only where another one runs', () => {
  expect(plan().processes.map(({ joins }) => joins)).toEqual([
    ['db2', 'db3'],
    ['db1', 'db3'],
    ['db1', 'db2'],
  ])
})

test('joiners start one by one', () => {
  const starts = plan().form.flatMap((step) => (step.do === 'start' ? [step.processes] : []))

  expect(starts).toEqual([['db2'], ['db3']])
})

describe('an arbitrator', () => {
  const planned = plan({ arbitrator: true, detectMs: 1000 })

  test('is one more member beside two nodes, and no application dials it', () => {
    expect(planned.nodes.map(({ name }) => name)).toEqual(['db1', 'db2', 'garb'])
    expect(planned.url).not.toContain('21008')
    expect(textOf('conf/db1.cnf', planned)).toContain('127.0.0.1:21005,127.0.0.1:21008')
  })

  test('has the timers of the nodes, and neither questions nor data', () => {
    const process = planned.processes.find(({ name }) => name === 'garb')

    expect(process?.argv.at(-1)).toContain('evs.suspect_timeout=PT1S')
    expect(planned.nodes.at(-1)).toMatchObject({ ask: null, ctl: null, levers: {} })
    expect(planned.recovery?.sources.map(({ node }) => node)).toEqual(['db1', 'db2'])
  })

  test('that is not installed is named with its package', () => {
    const deployment = {
      ...mariadbDeployment,
      installation: { ...mariadbDeployment.installation, arbitrator: null },
    }

    expect(() => plan({ arbitrator: true }, deployment)).toThrow('galera-arbitrator-4')
    expect(plan({}, deployment).nodes).toHaveLength(3)
  })
})

test('of a lab that root starts, all that touches data runs as another user and in a folder of its own', () => {
  const planned = plan({ arbitrator: true }, rootsPlace)
  const asServer = ['setpriv', '--reuid=104', '--regid=107', '--init-groups']

  for (const { argv } of planned.processes) expect(argv.slice(0, 4)).toEqual(asServer)
  for (const { findPosition } of planned.recovery?.sources ?? []) {
    expect(findPosition.argv.slice(0, 4)).toEqual(asServer)
  }
  expect(planned.form[0]).toMatchObject({
    commands: expect.arrayContaining([
      expect.objectContaining({ argv: ['install', '-d', '-m', '0711', '/data'] }),
    ]),
  })
})

test('of a lab that an ordinary user starts nobody becomes anybody else', () => {
  expect(JSON.stringify(plan())).not.toContain('setpriv')
})

test('everything listens on the loopback interface', () => {
  const conf = textOf('conf/db2.cnf')
  const addresses = conf.match(/\d+\.\d+\.\d+\.\d+/g) ?? []

  expect(new Set(addresses)).toEqual(new Set(['127.0.0.1']))
  expect(conf).toContain('bind-address=127.0.0.1')
})

test('a quote in a path does not end the word in the start script', () => {
  const deployment = { ...mariadbDeployment, dataFolder: "/it's/here" }

  expect(textOf('conf/db1.sh', plan({}, deployment))).toContain("'/it'\\''s/here/db1/grastate.dat'")
})

test.each<[Partial<GaleraTopology>, string]>([
  [{ nodes: 8 }, 'nodes: expected 1 to 7 nodes, got 8'],
  [{ detectMs: 100 }, 'detectMs: expected 500 to 60000 milliseconds, got 100'],
  [{ nodes: ['garb', 'db'], arbitrator: true }, "'garb' is the name of the arbitrator"],
])('%j is refused', (topology, message) => {
  expect(() => plan(topology)).toThrow(message)
})

test('a base port that leaves no room is refused', () => {
  expect(() => plan({}, { ...mariadbDeployment, firstPort: 65_530 })).toThrow(
    'basePort: expected 1024 to 65523',
  )
})
