import type { Member, View } from '@ha/core'
import type { MariadbStatus } from '../driver/server-status.ts'
import type { RouteRules } from './route.ts'

/** Whether a server may be used: without restriction, only when no other is left, or not at all. */
type Eligibility =
  | { readonly kind: 'eligible' }
  | { readonly kind: 'last-resort'; readonly reason: string }
  | { readonly kind: 'ineligible'; readonly reason: IneligibleReason }

/** Why a server must not be used. */
export type IneligibleReason =
  | 'no-quorum'
  | 'not-synced'
  | 'drained'
  | 'read-only'
  | 'other-cluster'
  | 'lags'
  | 'not-replicating'
  | 'no-galera'

const eligible: Eligibility = { kind: 'eligible' }

function ineligible(reason: IneligibleReason): Eligibility {
  return { kind: 'ineligible', reason }
}

// wsrep_local_state: 4 is Synced, 2 is Donor/Desynced; nodes in the other states are still joining.
const synced = 4
const donor = 2

/** Whether a server may take writes, according to its status. */
export function writeEligibility(
  reading: MariadbStatus,
  rules: RouteRules,
  cluster: string | undefined,
): Eligibility {
  if (reading.readOnly) return ineligible('read-only')
  return clusterEligibility(reading, rules, cluster)
}

/** Whether a server may serve reads, according to its status. */
export function readEligibility(
  reading: MariadbStatus,
  rules: RouteRules,
  cluster: string | undefined,
): Eligibility {
  const { replica } = reading
  if (replica?.kind !== 'follows') return clusterEligibility(reading, rules, cluster)
  if (replica.state === 'stopped') return ineligible('not-replicating')
  if (replica.lagMs !== undefined && replica.lagMs > rules.maxLagMs) return ineligible('lags')
  // While its primary is unreachable, the replica's data is the best that is available.
  if (replica.state === 'cut-off') return { kind: 'last-resort', reason: 'it cannot reach its primary' }
  return clusterEligibility(reading, rules, cluster)
}

function clusterEligibility(
  { galera }: MariadbStatus,
  rules: RouteRules,
  cluster: string | undefined,
): Eligibility {
  if (rules.galera === 'off') return eligible
  if (galera === undefined) return rules.galera === 'require' ? ineligible('no-galera') : eligible
  if (!galera.ready || galera.status !== 'Primary') return ineligible('no-quorum')
  if (galera.rejectQueries !== 'NONE') return ineligible('drained')
  if (cluster !== undefined && galera.clusterUuid !== cluster) return ineligible('other-cluster')
  if (galera.localState === synced) return eligible
  if (galera.localState !== donor) return ineligible('not-synced')
  return donorEligibility(galera.donorRejects, rules)
}

function donorEligibility(rejects: boolean, rules: RouteRules): Eligibility {
  if (rejects || rules.donor === 'never') return ineligible('not-synced')
  return rules.donor === 'allow' ? eligible : { kind: 'last-resort', reason: 'it feeds another node' }
}

/**
 * The state UUID of the Galera cluster in use: that of most nodes in a primary component, or of the first in the list
 * for equal counts. Undefined while no node has a quorum. Nodes of another cluster were bootstrapped separately and
 * are not used.
 */
export function clusterInUse(view: View<MariadbStatus>): string | undefined {
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

function quorumOf({ health, reading }: Member<MariadbStatus>): string | undefined {
  const galera = reading?.galera
  if (galera === undefined || health === 'down' || galera.status !== 'Primary') return undefined
  return galera.clusterUuid
}
