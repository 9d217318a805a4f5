import type { Reading } from '../driver/reading.ts'
import type { RouteRules } from './rules.ts'

/** What a server may be used for: freely, only when nothing better is left, or not at all and why. */
export type Fitness =
  | { readonly kind: 'fit' }
  | { readonly kind: 'last-resort'; readonly because: string }
  | { readonly kind: 'unfit'; readonly because: Unfit }

/** Why a server is not used. */
export type Unfit =
  | 'no-quorum'
  | 'not-synced'
  | 'drained'
  | 'read-only'
  | 'other-cluster'
  | 'lags'
  | 'not-replicating'
  | 'no-galera'

const fit: Fitness = { kind: 'fit' }

function unfit(because: Unfit): Fitness {
  return { kind: 'unfit', because }
}

// wsrep_local_state: 4 is Synced, 2 is Donor or desynced; the others are on their way in.
const synced = 4
const donor = 2

/** Whether a server takes writes, by what it says of itself. */
export function fitToWrite(reading: Reading, rules: RouteRules, cluster: string | undefined): Fitness {
  if (reading.readOnly) return unfit('read-only')
  return inCluster(reading, rules, cluster)
}

/** Whether a server's rows may be read, by what it says of itself. */
export function fitToRead(reading: Reading, rules: RouteRules, cluster: string | undefined): Fitness {
  const { replica } = reading
  if (replica?.kind !== 'follows') return inCluster(reading, rules, cluster)
  if (replica.state === 'stopped') return unfit('not-replicating')
  if (replica.lagMs !== undefined && replica.lagMs > rules.maxLagMs) return unfit('lags')
  // While its primary is away, what it has is all that there is.
  if (replica.state === 'cut-off') return { kind: 'last-resort', because: 'it cannot reach its primary' }
  return inCluster(reading, rules, cluster)
}

function inCluster({ galera }: Reading, rules: RouteRules, cluster: string | undefined): Fitness {
  if (rules.galera === 'off') return fit
  if (galera === undefined) return rules.galera === 'require' ? unfit('no-galera') : fit
  if (!galera.ready || galera.status !== 'Primary') return unfit('no-quorum')
  if (galera.rejectQueries !== 'NONE') return unfit('drained')
  if (cluster !== undefined && galera.clusterUuid !== cluster) return unfit('other-cluster')
  if (galera.localState === synced) return fit
  if (galera.localState !== donor) return unfit('not-synced')
  return donorFitness(galera.donorRejects, rules)
}

function donorFitness(rejects: boolean, rules: RouteRules): Fitness {
  if (rejects || rules.donor === 'never') return unfit('not-synced')
  return rules.donor === 'allow' ? fit : { kind: 'last-resort', because: 'it feeds another node' }
}
