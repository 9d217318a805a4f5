import { asServer, command, sql } from '../mariadb/commands.ts'
import { serverPaths } from '../mariadb/paths.ts'
import type { MariadbDeployment } from '../mariadb/place.ts'
import type { PlannedRecovery, PlannedSource } from '../model/plan.ts'
import type { GaleraModel } from './model.ts'

/** Asks a node that runs how it stands. */
const sourceStateQuery =
  "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status', 'wsrep_local_state_uuid', 'wsrep_last_committed')"

/** What bringing back a cluster without a majority works with. */
export function planRecovery(model: GaleraModel, founding: readonly string[]): PlannedRecovery {
  return {
    founding,
    sources: model.nodes.map(({ name }) => plannedSource(model.deployment, name)),
    arbitrators: model.arbitrator === null ? [] : [model.arbitrator.name],
  }
}

function plannedSource(deployment: MariadbDeployment, node: string): PlannedSource {
  const { conf, data } = serverPaths(deployment, node)
  const recover = [deployment.installation.server, `--defaults-file=${conf}`, '--wsrep-recover']
  return {
    node,
    stateFile: `${data}/grastate.dat`,
    viewFile: `${data}/gvwstate.dat`,
    findPosition: command(deployment, asServer(deployment, recover)),
    askStanding: sql(deployment, node, sourceStateQuery),
    promote: sql(deployment, node, "SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'"),
  }
}
