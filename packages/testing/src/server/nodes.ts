import { HaError } from '@ha/core'

/** The state of a node's process; `frozen` as after SIGSTOP. */
export type NodeState = 'down' | 'running' | 'frozen'

/** A fake node by its number, from 1; throws `config-invalid` when the cluster has none of that number. */
export function nodeByNumber<N>(nodes: readonly N[], number: number): N {
  const node = nodes[number - 1]
  if (node !== undefined) return node
  throw new HaError('config-invalid', `there is no node ${number}: the cluster has 1 to ${nodes.length}`)
}
