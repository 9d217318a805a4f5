import { expect, test } from 'vitest'
import { resolveGalera } from '../../src/galera/model.ts'
import { planGalera } from '../../src/galera/plan.ts'
import { supportedFaults } from '../../src/lab/faults.ts'
import type { Network } from '../../src/model/network.ts'
import type { LabPlan } from '../../src/model/plan.ts'
import { resolveRabbit } from '../../src/rabbitmq/model.ts'
import { planRabbit } from '../../src/rabbitmq/plan.ts'
import { resolveReplication } from '../../src/replication/model.ts'
import { planReplication } from '../../src/replication/plan.ts'
import { planForNetwork } from '../../src/sandbox/sandbox-plan.ts'
import { resolveZookeeper } from '../../src/zookeeper/model.ts'
import { planZookeeper } from '../../src/zookeeper/plan.ts'
import { mariadbDeployment } from '../mariadb/deployment.ts'
import { deployment } from '../rabbitmq/deployment.ts'
import { zookeeperDeployment } from '../zookeeper/deployment.ts'

const network: Network = { kind: 'sandbox', folder: '/sandbox' }
const plans = {
  rabbitmq: planRabbit(resolveRabbit({ kind: 'rabbitmq' }, { ...deployment, network })),
  galera: planGalera(resolveGalera({ kind: 'galera', arbitrator: true }, { ...mariadbDeployment, network })),
  replication: planReplication(
    resolveReplication({ kind: 'replication' }, { ...mariadbDeployment, network }),
  ),
  zookeeper: planZookeeper(resolveZookeeper({ kind: 'zookeeper' }, { ...zookeeperDeployment, network })),
}
const kinds = Object.entries(plans)
const zookeeper = planForNetwork(plans.zookeeper, network)
const leverOf = (
  plan: LabPlan,
  action: 'partition' | 'partition-clients' | 'partition-all',
  half: 'begin' | 'heal',
) => plan.nodes[0]?.levers[action]?.[half].stdin ?? ''

test('the loopback interface changes nothing', () => {
  expect(planForNetwork(plans.zookeeper, { kind: 'loopback' })).toBe(plans.zookeeper)
})

test('a node’s address is 10.77 and the two bytes of its port', () => {
  expect(zookeeper.url).toBe('10.77.82.8:21000,10.77.82.11:21003,10.77.82.14:21006')
})

test.each(kinds)('a node of %s has nothing on the loopback interface, nor anything of it', (_, plan) => {
  expect(JSON.stringify(plan)).not.toMatch(/127[.,]0[.,]0[.,]1/)
})

test.each(kinds)('every process of %s runs in the namespace of its own address', (_, plan) => {
  for (const { host, argv } of planForNetwork(plan, network).processes) {
    expect(argv.slice(0, 2)).toEqual(['nsenter', `--net=/sandbox/${host}`])
  }
})

test.each(kinds)('%s begins with a namespace for each node', (_, plan) => {
  const [first] = planForNetwork(plan, network).form

  expect(first).toMatchObject({ do: 'run', what: 'creating a network for each node' })
  expect(first?.do === 'run' ? first.commands.length : 0).toBe(plan.nodes.length)
})

test('questions are asked in the namespace of the node, past every wire that is cut', () => {
  expect(zookeeper.nodes[1]?.ask?.argv.slice(0, 2)).toEqual(['nsenter', '--net=/sandbox/10.77.82.11'])
  expect(zookeeper.nodes[1]?.ctl?.argv.slice(0, 2)).toEqual(['nsenter', '--net=/sandbox/10.77.82.11'])
})

test('nodes of RabbitMQ have a name service each, and hosts that are not one', () => {
  expect(plans.rabbitmq.nodes.map(({ member }) => member)).toEqual([
    'rabbit1@node21001',
    'rabbit2@node21002',
    'rabbit3@node21003',
  ])
  expect(plans.rabbitmq.processes.map(({ name, needs }) => [name, needs]).slice(2, 4)).toEqual([
    ['epmd-rabbit3', []],
    ['rabbit1', ['epmd-rabbit1']],
  ])
})

test('every node can be partitioned', () => {
  for (const [, plan] of kinds) {
    for (const node of planForNetwork(plan, network).nodes) {
      expect(supportedFaults(node)).toEqual(
        expect.arrayContaining(['partition', 'partition-clients', 'partition-all']),
      )
    }
  }
})

test('a partition drops what goes between a node and each peer, both ways', () => {
  const added = leverOf(zookeeper, 'partition', 'begin')
    .split('\n')
    .filter((line) => line.startsWith('ip rule add'))

  expect(added).toEqual([
    'ip rule add pref 21001 from 10.77.82.8 to 10.77.82.11 blackhole',
    'ip rule add pref 21001 from 10.77.82.11 to 10.77.82.8 blackhole',
    'ip rule add pref 21001 from 10.77.82.8 to 10.77.82.14 blackhole',
    'ip rule add pref 21001 from 10.77.82.14 to 10.77.82.8 blackhole',
  ])
  expect(leverOf(zookeeper, 'partition-clients', 'begin')).not.toContain('10.77.82.11')
})

test('healing takes back every rule that was made for this node, and no other', () => {
  expect(leverOf(zookeeper, 'partition-all', 'heal').match(/ip rule \w+ pref \d+ \w+ [\d.]+/g)).toEqual([
    'ip rule delete pref 21001 from 10.77.82.8',
    'ip rule delete pref 21001 to 10.77.82.8',
  ])
})
