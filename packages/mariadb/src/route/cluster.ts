import type { Member, View } from '@ha/core'
import type { Reading } from '../driver/reading.ts'

/**
 * The state uuid of the Galera cluster that is used: that of most nodes with a quorum, of the first listed among
 * equals. Undefined while no node has a quorum. A node of another one was bootstrapped apart and is left alone.
 */
export function clusterInUse(view: View<Reading>): string | undefined {
  const counts = new Map<string, number>()
  for (const member of view.members) {
    const uuid = quorumOf(member)
    if (uuid !== undefined) counts.set(uuid, (counts.get(uuid) ?? 0) + 1)
  }
  let chosen: string | undefined
  for (const [uuid, count] of counts) {
    if (chosen === undefined || count > (counts.get(chosen) ?? 0)) chosen = uuid
  }
  return chosen
}

function quorumOf({ health, reading }: Member<Reading>): string | undefined {
  const galera = reading?.galera
  if (galera === undefined || health === 'down' || galera.status !== 'Primary') return undefined
  return galera.clusterUuid
}
