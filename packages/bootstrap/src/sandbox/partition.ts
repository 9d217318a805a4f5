import type { Lever, NetworkFault } from '../model/plan.ts'
import { clientHost } from './addresses.ts'
import { cut, mend, type Neighbour } from './scripts.ts'

/** The faults of a node's network: every packet between it and the others is dropped, in both directions. */
export function partitionLevers(
  folder: string,
  node: Neighbour,
  peers: readonly Neighbour[],
): Readonly<Record<NetworkFault, Lever>> {
  const from = (others: readonly string[]): Lever => ({
    begin: cut(
      folder,
      node,
      others.flatMap((other) => [`from ${node.host} to ${other}`, `from ${other} to ${node.host}`]),
    ),
    heal: mend(folder, node),
  })
  return {
    partition: from(peers.map(({ host }) => host)),
    'partition-clients': from([clientHost]),
    'partition-all': from(['all']),
  }
}
