import { settingFault } from '../mariadb/levers.ts'
import type { MariadbDeployment } from '../mariadb/place.ts'
import type { PlannedNode } from '../model/plan.ts'

/** The faults that a node can be told to have. A restart ends each of them, too. */
export function galeraFaults(deployment: MariadbDeployment, node: string): PlannedNode['levers'] {
  const lever = (name: string, broken: string, healed: string) =>
    settingFault(deployment, node, [name, broken, healed])
  return {
    isolate: lever('wsrep_provider_options', "'gmcast.isolate=1'", "'gmcast.isolate=0'"),
    desync: lever('wsrep_desync', 'ON', 'OFF'),
    'reject-queries': lever('wsrep_reject_queries', 'ALL', 'NONE'),
    'read-only': lever('read_only', '1', '0'),
  }
}
