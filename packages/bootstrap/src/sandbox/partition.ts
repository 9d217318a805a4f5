import type { FaultCommands, NetworkFault } from '../model/plan.ts'
import { clientHost } from './addresses.ts'
import { blockTraffic, type NetworkNode, unblockTraffic } from './scripts.ts'

/** The faults of a node's network: every packet between it and the others is dropped, in both directions. */
export function partitionFaults(
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
