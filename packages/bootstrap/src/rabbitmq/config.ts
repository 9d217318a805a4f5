import type { PlannedFile } from '../model/plan.ts'
import { hasFeature, type RabbitModel, type RabbitNode, type RabbitTimers } from './model.ts'

// Enough for the backlog of a drill, and far below what three brokers would take by the default of 40 % of the memory.
const memoryLimit = '1GB'
const diskReserve = '50MB'

/** The text of a node's `rabbitmq.conf`. */
export function renderConf(model: RabbitModel, node: RabbitNode): string {
  return [
    `listeners.tcp.1 = ${node.host}:${node.amqpPort}`,
    // In a sandbox no client comes from the loopback interface, so guest may log in from other addresses.
    ...(model.deployment.network.kind === 'loopback' ? [] : ['loopback_users = none']),
    ...(model.nodes.length > 1 ? clusterLines(model, node) : []),
    `heartbeat = ${model.timers.heartbeatS}`,
    `vm_memory_high_watermark.absolute = ${memoryLimit}`,
    `disk_free_limit.absolute = ${diskReserve}`,
    '',
  ].join('\n')
}

function clusterLines(model: RabbitModel, node: RabbitNode): readonly string[] {
  return [
    'cluster_formation.peer_discovery_backend = classic_config',
    ...model.nodes.map((peer, i) => `cluster_formation.classic_config.nodes.${i + 1} = ${peer.member}`),
    ...(node === model.nodes[0] && hasFeature(model.version, 'patientSeed') ? quickDiscovery : []),
    `cluster_partition_handling = ${model.partitionHandling}`,
  ]
}

// The first node starts alone, so it would look for its peers for 5 s before it forms the cluster. The others keep the
// default retries: a joiner that gave up early would form a cluster of its own. No random start delay is written: 3.10
// accepts the keys without implementing them, and from 4.0 on they prevent the start.
const quickDiscovery: readonly string[] = [
  'cluster_formation.discovery_retry_limit = 1',
  'cluster_formation.discovery_retry_interval = 100',
]

/** The text of `advanced.config`: settings for which `rabbitmq.conf` has no key. */
export function renderAdvancedConfig(timers: RabbitTimers): string {
  const { netTicktimeS, netSetuptimeS } = timers
  return `[{kernel, [{net_ticktime, ${netTicktimeS}}, {net_setuptime, ${netSetuptimeS}}]}].\n`
}

/**
 * The objects of the broker in the format of `rabbitmqctl import_definitions`: virtual hosts, the permissions of
 * guest, and policies. They are imported once all members agree: `load_definitions` in the configuration of the first
 * node made it wait 45 s for members that were still joining (3.10.8).
 */
export function renderDefinitions(model: RabbitModel): string {
  const document = {
    vhosts: model.vhosts.map((name) => ({ name })),
    permissions: model.vhosts.map((vhost) => ({
      user: 'guest',
      vhost,
      configure: '.*',
      write: '.*',
      read: '.*',
    })),
    policies: model.vhosts.flatMap((vhost) =>
      model.policies.map((policy) => ({ vhost, 'apply-to': 'queues', priority: 0, ...policy })),
    ),
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

/** Whether the definitions contain anything that a new cluster lacks. */
export function needsDefinitions(model: RabbitModel): boolean {
  return model.policies.length > 0 || model.vhosts.length > 1
}

type Environment = Readonly<Record<string, string>>

// Two schedulers without busy waiting: three Erlang VMs share a small machine.
const schedulers = '+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none'

/**
 * The environment of every program at this address: the lab's own home, epmd and programs, and nothing of the user's
 * environment.
 */
export function sharedEnvironment(model: RabbitModel, host: string): Environment {
  const { folder, installation } = model.deployment
  return {
    // The cookie is read from here.
    HOME: `${folder}/home`,
    LANG: 'C.UTF-8',
    PATH: [installation.erlangBin, '/usr/local/bin', '/usr/bin', '/usr/sbin', '/bin', '/sbin'].join(':'),
    ERL_EPMD_PORT: String(model.epmdPort),
    ERL_EPMD_ADDRESS: host,
    // No Erlang program of the lab starts an epmd or listens beyond its own address.
    ERL_AFLAGS: `-start_epmd false -kernel inet_dist_use_interface {${host.replaceAll('.', ',')}}`,
    RABBITMQ_SCRIPTS_DIR: `${folder}/server/sbin`,
    // An empty file; without it the rabbitmq-env.conf of the machine is read.
    RABBITMQ_CONF_ENV_FILE: `${folder}/rabbitmq-env.conf`,
    // 0 selects any free port: the eleven fixed ports of the tools would collide with those of other labs.
    RABBITMQ_CTL_DIST_PORT_MIN: '0',
    RABBITMQ_CTL_DIST_PORT_MAX: '0',
  }
}

/** The environment of a node. */
export function nodeEnvironment(model: RabbitModel, node: RabbitNode): Environment {
  const own = `${model.deployment.folder}/nodes/${node.name}`
  return {
    ...sharedEnvironment(model, node.host),
    RABBITMQ_NODENAME: node.member,
    RABBITMQ_NODE_PORT: String(node.amqpPort),
    RABBITMQ_DIST_PORT: String(node.distributionPort),
    RABBITMQ_CONFIG_FILE: `${own}/rabbitmq.conf`,
    // No such file exists; without the setting /etc/rabbitmq/conf.d/*.conf of the machine is merged into the file
    // above.
    RABBITMQ_CONFIG_FILES: `${own}/conf.d/*.conf`,
    RABBITMQ_ADVANCED_CONFIG_FILE: `${own}/advanced.config`,
    // No such file exists; the default is /etc/rabbitmq/motd.
    RABBITMQ_MOTD_FILE: `${own}/motd`,
    RABBITMQ_ENABLED_PLUGINS_FILE: `${own}/enabled_plugins`,
    RABBITMQ_MNESIA_BASE: `${own}/data`,
    RABBITMQ_LOG_BASE: `${own}/data`,
    RABBITMQ_PID_FILE: `${own}/pid`,
    // Standard output, which is the node's only log and includes failures from before logging begins.
    RABBITMQ_LOGS: '-',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: schedulers,
    // The start script replaces itself with the Erlang VM, so that signals to its pid reach the server.
    RUNNING_UNDER_SYSTEMD: 'true',
  }
}

/**
 * A server home made of links, without the optional plugins. Erlang searches every plugin folder for every module: on
 * 2 cores a node of 3.10.8 boots in 2.5 s with 2.1 s of CPU from these links, and in 3.9 s with 3.4 s from the
 * complete installation.
 */
export function serverHome(model: RabbitModel): readonly PlannedFile[] {
  const { home, plugins } = model.deployment.installation
  const needed = plugins.filter((plugin) => !/^rabbitmq_(?!prelaunch)/.test(plugin))
  return [
    ...['sbin', 'escript'].map((folder) => link(`server/${folder}`, `${home}/${folder}`)),
    ...needed.map((plugin) => link(`server/plugins/${plugin}`, `${home}/plugins/${plugin}`)),
  ]
}

function link(path: string, target: string): PlannedFile {
  return { path, mode: 0o777, secret: false, content: { kind: 'link', target } }
}
