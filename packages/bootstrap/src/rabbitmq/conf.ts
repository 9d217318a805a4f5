import type { RabbitModel, RabbitNode } from './model.ts'
import { hasFeature } from './version.ts'

// Enough for a drill's backlog; far under what three brokers would take of a small machine by the default of 40 %.
const memoryLimit = '1GB'
const diskReserve = '50MB'

/** The text of a node's `rabbitmq.conf`. */
export function renderConf(model: RabbitModel, node: RabbitNode): string {
  return [
    `listeners.tcp.1 = ${node.host}:${node.amqpPort}`,
    // Where nobody comes from the loopback interface, guest may log in from elsewhere.
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

// The first node starts alone, so it would look for its peers for 5 s before it forms the cluster. The others keep
// their patience: a joiner that gave up early would form a cluster of its own. No random start delay is written:
// 3.10 accepts the keys and has no code behind them, and from 4.0 on they keep the server from starting.
const quickDiscovery: readonly string[] = [
  'cluster_formation.discovery_retry_limit = 1',
  'cluster_formation.discovery_retry_interval = 100',
]
