import type { Network } from '../model/network.ts'
import type {
  FaultCommands,
  FormationStep,
  LabPlan,
  NetworkFault,
  PlannedCommand,
  PlannedNode,
} from '../model/plan.ts'
import {
  blockTraffic,
  clientHost,
  createNodeNamespace,
  type NetworkNode,
  nodeNamespace,
  unblockTraffic,
} from './network-scripts.ts'

/**
 * Adapts a plan to a network: in a sandbox every process and every command runs in the namespace of its node, and
 * nodes can be partitioned. The commands of the supervisor do not cross the links that a partition cuts.
 */
export function planForNetwork(plan: LabPlan, network: Network): LabPlan {
  if (network.kind === 'loopback') return plan
  const { folder } = network
  return {
    ...plan,
    nodes: plan.nodes.map((node) => nodeInNamespace(plan, node, folder)),
    processes: plan.processes.map((process) => ({
      ...process,
      argv: argvInNamespace(network, process.host, process.argv),
    })),
    form: [namespaceStep(plan, folder), ...plan.form],
  }
}

/** The same command line in the namespace of the node with this address. It stays one process with one pid. */
export function argvInNamespace(network: Network, host: string, argv: readonly string[]): readonly string[] {
  if (network.kind === 'loopback') return argv
  return ['nsenter', `--net=${nodeNamespace(network.folder, host)}`, ...argv]
}

function nodeInNamespace(plan: LabPlan, node: PlannedNode, folder: string): PlannedNode {
  const network = { kind: 'sandbox', folder } as const
  const at = (command: PlannedCommand | null): PlannedCommand | null =>
    command === null ? null : { ...command, argv: argvInNamespace(network, node.host, command.argv) }
  const peers = plan.nodes.filter((other) => other !== node)
  const { repair } = node
  return {
    ...node,
    ask: at(node.ask),
    ctl: at(node.ctl),
    repair: repair === null ? null : { ...repair, command: at(repair.command) },
    levers: { ...node.levers, ...partitionFaults(folder, node, peers) },
  }
}

function namespaceStep(plan: LabPlan, folder: string): FormationStep {
  return {
    do: 'run',
    what: 'creating a network for each node',
    commands: plan.nodes.map((node) => createNodeNamespace(folder, node)),
  }
}

/** The network faults of a node: every packet between it and the others is dropped, in both directions. */
function partitionFaults(
  folder: string,
  node: NetworkNode,
  peers: readonly NetworkNode[],
): Readonly<Record<NetworkFault, FaultCommands>> {
  const from = (others: readonly string[]): FaultCommands => ({
    begin: blockTraffic(
      folder,
      node,
      others.flatMap((other) => [`from ${node.host} to ${other}`, `from ${other} to ${node.host}`]),
    ),
    heal: unblockTraffic(folder, node),
  })
  return {
    partition: from(peers.map(({ host }) => host)),
    'partition-clients': from([clientHost]),
    'partition-all': from(['all']),
  }
}
