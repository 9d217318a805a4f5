import { asServer, command, sql } from '../mariadb/commands.ts'
import { serverPaths } from '../mariadb/paths.ts'
import type { MariadbPlace } from '../mariadb/place.ts'
import type { PlannedRecovery, PlannedSource } from '../model/plan.ts'
import type { GaleraModel } from './model.ts'

/** Asks a node that runs how it stands. */
const askStanding =
  "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status', 'wsrep_local_state_uuid', 'wsrep_last_committed')"

/** What bringing back a cluster without a majority works with. */
export function planRecovery(model: GaleraModel, founding: readonly string[]): PlannedRecovery {
  return {
    founding,
    sources: model.nodes.map(({ name }) => source(model.place, name)),
    arbitrators: model.arbitrator === null ? [] : [model.arbitrator.name],
  }
}

function source(place: MariadbPlace, node: string): PlannedSource {
  const { conf, data } = serverPaths(place, node)
  const recover = [place.installation.server, `--defaults-file=${conf}`, '--wsrep-recover']
  return {
    node,
    stateFile: `${data}/grastate.dat`,
    viewFile: `${data}/gvwstate.dat`,
    findPosition: command(place, asServer(place, recover)),
    askStanding: sql(place, node, askStanding),
    promote: sql(place, node, "SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'"),
  }
}
