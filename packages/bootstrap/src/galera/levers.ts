import { settingLever } from '../mariadb/levers.ts'
import type { MariadbPlace } from '../mariadb/place.ts'
import type { PlannedNode } from '../model/plan.ts'

/** The faults that a node can be told to have. A restart ends each of them, too. */
export function galeraLevers(place: MariadbPlace, node: string): PlannedNode['levers'] {
  const lever = (name: string, broken: string, healed: string) =>
    settingLever(place, node, [name, broken, healed])
  return {
    isolate: lever('wsrep_provider_options', "'gmcast.isolate=1'", "'gmcast.isolate=0'"),
    desync: lever('wsrep_desync', 'ON', 'OFF'),
    'reject-queries': lever('wsrep_reject_queries', 'ALL', 'NONE'),
    'read-only': lever('read_only', '1', '0'),
  }
}
