import fc from 'fast-check'
import { expect, test } from 'vitest'
import { portsOf } from '../../src/model/network.ts'
import type { LabPlan, PlannedFile } from '../../src/model/plan.ts'
import type { RabbitTopology } from '../../src/model/topology.ts'
import { resolveRabbit } from '../../src/rabbitmq/model.ts'
import { planRabbit } from '../../src/rabbitmq/plan.ts'
import { deployment, placeWith } from './deployment.ts'

const plan = (topology: Omit<RabbitTopology, 'kind'> = {}, where = deployment): LabPlan =>
  planRabbit(resolveRabbit({ kind: 'rabbitmq', ...topology }, where))

const fileOf = (from: LabPlan, path: string): PlannedFile | undefined =>
  from.files.find((file) => file.path === path)
const textOf = (from: LabPlan, path: string): string => {
  const content = fileOf(from, path)?.content
  return content?.kind === 'text' ? content.text : ''
}

const topologies = fc.record({
  kind: fc.constant('rabbitmq' as const),
  nodes: fc.oneof(
    fc.integer({ min: 1, max: 7 }),
    fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/), { minLength: 1, maxLength: 7 }),
  ),
  detectMs: fc.integer({ min: 250, max: 60_000 }),
  vhosts: fc.uniqueArray(fc.string({ minLength: 1 })),
})

test('the configuration of the first node', () => {
  expect(
    textOf(plan({ detectMs: 1000 }), 'nodes/rabbit1/rabbitmq.conf'),
  ).toBe(`listeners.tcp.1 = 127.0.0.1:21001
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = rabbit1@localhost
cluster_formation.classic_config.nodes.2 = rabbit2@localhost
cluster_formation.classic_config.nodes.3 = rabbit3@localhost
cluster_formation.discovery_retry_limit = 1
cluster_formation.discovery_retry_interval = 100
cluster_partition_handling = pause_minority
heartbeat = 4
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
`)
})

test('only the first node gives up looking for peers early, and only before 3.13', () => {
  const impatient = (from: LabPlan): readonly string[] =>
    from.files
      .filter((file) => file.content.kind === 'text' && file.content.text.includes('discovery_retry'))
      .map((file) => file.path)

  expect(impatient(plan())).toEqual(['nodes/rabbit1/rabbitmq.conf'])
  expect(impatient(plan({}, placeWith('3.13.7')))).toEqual([])
})

test.each(['3.10.8', '3.13.7', '4.0.5', '4.3.5'])(
  '%s gets no key that some version refuses to boot with',
  (version) => {
    expect(JSON.stringify(plan({}, placeWith(version)))).not.toContain('randomized_startup_delay_range')
  },
)

test('the kernel’s ticks follow the promise', () => {
  expect(textOf(plan({ detectMs: 1000 }), 'nodes/rabbit2/advanced.config')).toBe(
    '[{kernel, [{net_ticktime, 4}, {net_setuptime, 1}]}].\n',
  )
  expect(textOf(plan(), 'nodes/rabbit2/advanced.config')).toBe(
    '[{kernel, [{net_ticktime, 60}, {net_setuptime, 7}]}].\n',
  )
})

test('every virtual host gets the mirroring policy where the version knows mirroring', () => {
  const definitions = JSON.parse(textOf(plan({ vhosts: ['shop'] }), 'definitions.json'))

  expect(
    definitions.policies.map(({ vhost, name, pattern }: Record<string, string>) => [vhost, name, pattern]),
  ).toEqual([
    ['/', 'ha-all', '^ha\\.'],
    ['shop', 'ha-all', '^ha\\.'],
  ])
  expect(definitions.policies[0].definition).toEqual({ 'ha-mode': 'all', 'ha-sync-mode': 'automatic' })
})

test('4.0 gets no mirroring policy and a note that says so', () => {
  const modern = plan({}, placeWith('4.0.5'))

  expect(JSON.parse(textOf(modern, 'definitions.json')).policies).toEqual([])
  expect(modern.form.some((step) => step.do === 'run')).toBe(false)
  expect(modern.notes).toEqual([expect.stringContaining('does not support mirrored queues')])
})

test('two nodes never pause each other', () => {
  expect(textOf(plan({ nodes: 2 }), 'nodes/rabbit1/rabbitmq.conf')).toContain(
    'cluster_partition_handling = ignore',
  )
})

test('the first node forms the cluster, the others join it together, and then all are asked', () => {
  expect(plan().form.map((step) => (step.do === 'start' ? step.processes : step.do))).toEqual([
    ['epmd'],
    ['rabbit1'],
    ['rabbit2', 'rabbit3'],
    'agree',
    'run',
  ])
})

test('every node waits for epmd, and for nothing else', () => {
  expect(plan().processes.map(({ name, needs }) => [name, needs])).toEqual([
    ['epmd', []],
    ['rabbit1', ['epmd']],
    ['rabbit2', ['epmd']],
    ['rabbit3', ['epmd']],
  ])
})

test('nodes end in the reverse order, and what they need ends last', () => {
  expect(plan().stop).toEqual(['rabbit3', 'rabbit2', 'rabbit1', 'epmd'])
})

test('the environment of a node leaves nothing to the host', () => {
  const env = plan().processes.find((process) => process.name === 'rabbit2')?.env

  expect(env).toMatchObject({
    HOME: '/labs/shop/home',
    ERL_EPMD_PORT: '21000',
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: 'rabbit2@localhost',
    RABBITMQ_NODE_PORT: '21002',
    RABBITMQ_DIST_PORT: '21005',
    RABBITMQ_CONF_ENV_FILE: '/labs/shop/rabbitmq-env.conf',
    RABBITMQ_CONFIG_FILES: '/labs/shop/nodes/rabbit2/conf.d/*.conf',
    RABBITMQ_MOTD_FILE: '/labs/shop/nodes/rabbit2/motd',
    RUNNING_UNDER_SYSTEMD: 'true',
  })
  expect(env?.['ERL_AFLAGS']).toContain('inet_dist_use_interface {127,0,0,1}')
  expect(env?.['ERL_AFLAGS']).toContain('-start_epmd false')
})

// The variables by which rabbit_env of 3.10.8 finds files; without them it looks in /etc, /var/lib and /var/log.
test.each([
  'CONF_ENV_FILE',
  'CONFIG_FILE',
  'CONFIG_FILES',
  'ADVANCED_CONFIG_FILE',
  'ENABLED_PLUGINS_FILE',
  'MOTD_FILE',
  'MNESIA_BASE',
  'LOG_BASE',
  'PID_FILE',
])('%s of every node is in the lab', (name) => {
  for (const { name: process, env } of plan().processes) {
    if (process !== 'epmd') expect(env[`RABBITMQ_${name}`]).toMatch(/^\/labs\/shop\//)
  }
})

test('nothing is where further configuration is looked for', () => {
  expect(plan().files.filter((file) => /conf\.d|motd/.test(file.path))).toEqual([])
})

test.each([0, 1023, 65_530, 70_000, 1.5, Number.NaN])(
  'ports from %d on are refused with the range',
  (firstPort) => {
    expect(() => plan({}, { ...deployment, firstPort })).toThrow(
      'basePort: expected 1024 to 65529 for 7 ports',
    )
  },
)

test('the last ports that there are can be taken', () => {
  const { processes } = plan({}, { ...deployment, firstPort: 65_529 })

  expect(Math.max(...portsOf({ processes }))).toBe(65_535)
})

test('the server home leaves out optional plugins and keeps what every node needs', () => {
  const links = plan()
    .files.filter((file) => file.content.kind === 'link')
    .map((file) => file.path)

  expect(links).toEqual([
    'server/sbin',
    'server/escript',
    'server/plugins/cuttlefish-3',
    'server/plugins/rabbit-3.10.8',
    'server/plugins/rabbit_common-3.10.8',
    'server/plugins/rabbitmq_prelaunch-3',
  ])
})

test('the cookie is drawn later, for its owner only', () => {
  expect(fileOf(plan(), 'home/.erlang.cookie')).toEqual({
    path: 'home/.erlang.cookie',
    mode: 0o400,
    secret: true,
    content: { kind: 'random', length: 20 },
  })
})

test('the address for applications holds every node', () => {
  expect(plan().url).toBe('amqp://guest:guest@127.0.0.1:21001,127.0.0.1:21002,127.0.0.1:21003')
})

test('the same topology in the same place is the same plan, byte for byte', () => {
  fc.assert(
    fc.property(topologies, (topology) => {
      const shuffled = Object.fromEntries(Object.entries(topology).reverse()) as unknown as RabbitTopology

      expect(JSON.stringify(plan(topology))).toBe(JSON.stringify(plan(shuffled)))
      expect(JSON.parse(JSON.stringify(plan(topology)))).toEqual(plan(topology))
    }),
  )
})

test('no two processes share a port, a log or a name, and no two files a path', () => {
  fc.assert(
    fc.property(topologies, (topology) => {
      const { processes, files } = plan(topology)
      const distinct = (values: readonly unknown[]): boolean => new Set(values).size === values.length

      expect(distinct(portsOf({ processes }))).toBe(true)
      expect(distinct(processes.map((process) => process.log))).toBe(true)
      expect(distinct(processes.map((process) => process.name))).toBe(true)
      expect(distinct(files.map((file) => file.path))).toBe(true)
    }),
  )
})

test.each([0, 100, 249, 60_001, 1.5, Number.NaN])(
  'a promise of %d ms is refused with the range',
  (detectMs) => {
    expect(() => plan({ detectMs })).toThrow('detectMs: expected 250 to 60000 milliseconds')
  },
)
