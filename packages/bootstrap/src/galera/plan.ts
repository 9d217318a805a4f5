import { asServerAccount, clientArgv, environment, plannedCommand, sqlCommand } from '../mariadb/commands.ts'
import { type MariadbDeployment, serverPaths } from '../mariadb/deployment.ts'
import { copyData, createData, createDataFolder, jdbcUrl } from '../mariadb/initial-data.ts'
import type {
  FormationStep,
  LabPlan,
  PlannedCommand,
  PlannedNode,
  PlannedProcess,
  PlannedRecovery,
  PlannedSource,
} from '../model/plan.ts'
import { argvInNamespace } from '../sandbox/sandbox-plan.ts'
import { arbitratorArgv, configFiles, galeraFaults } from './config.ts'
import type { GaleraArbitrator, GaleraModel, GaleraNode } from './model.ts'
import { viewQuery } from './probe.ts'

/**
 * Bootstraps a cluster. It is given on the command line once; in a file it would bootstrap another cluster after the
 * next crash.
 */
const newClusterArgs = ['--wsrep-new-cluster']
// A resumed node rejoins by itself: within 4 s of a pause of 6 s, within 10 s of one of 20 s.
const patienceMs = 30_000

/** Plans everything that starting the cluster will do. */
export function planGalera(model: GaleraModel): LabPlan {
  const { deployment, nodes, arbitrator } = model
  const arbitrators = arbitrator === null ? [] : [arbitrator]
  return {
    schema: 'ha-plan/v1',
    lab: deployment.lab,
    kind: 'galera',
    version: deployment.installation.version,
    folder: deployment.folder,
    detectMs: model.detectMs,
    url: jdbcUrl(
      'sequential',
      nodes.map(({ host, sqlPort }) => ({ host, port: sqlPort })),
    ),
    urlVariable: 'MARIADB_URL',
    nodes: [...nodes.map((node) => plannedNode(model, node)), ...arbitrators.map(plannedArbitrator)],
    files: configFiles(model),
    processes: [
      ...nodes.map((node) => server(model, node)),
      ...arbitrators.map((one) => arbitratorProcess(model, one)),
    ],
    form: formation(model),
    stop: [...arbitrators, ...[...nodes].reverse()].map(({ name }) => name),
    recovery: planRecovery(model, newClusterArgs),
    notes: model.notes,
  }
}

function plannedNode({ deployment }: GaleraModel, { name, host, sqlPort }: GaleraNode): PlannedNode {
  return {
    name,
    member: name,
    host,
    port: sqlPort,
    ask: sqlCommand(deployment, name, viewQuery),
    repair: { command: null, patienceMs },
    ctl: plannedCommand(deployment, clientArgv(deployment, name)),
    levers: galeraFaults(deployment, name),
  }
}

function plannedArbitrator({ name, host, groupPort }: GaleraArbitrator): PlannedNode {
  return {
    name,
    member: name,
    host,
    port: groupPort,
    ask: null,
    repair: null,
    ctl: null,
    levers: {},
  }
}

function server(model: GaleraModel, node: GaleraNode): PlannedProcess {
  const { deployment } = model
  return {
    name: node.name,
    folder: deployment.dataFolder,
    argv: asServerAccount(deployment, ['/bin/sh', serverPaths(deployment, node.name).startScript]),
    env: environment(deployment),
    log: `logs/${node.name}.log`,
    host: node.host,
    ports: [node.sqlPort, node.groupPort, node.istPort, node.sstPort],
    upPort: node.sqlPort,
    // The port is open long before the server answers queries, while it is still waiting for its data.
    upCheck: sqlCommand(deployment, node.name, 'SELECT 1'),
    needs: [],
    joins: model.nodes.map(({ name }) => name).filter((name) => name !== node.name),
  }
}

function arbitratorProcess(model: GaleraModel, arbitrator: GaleraArbitrator): PlannedProcess {
  const { deployment, nodes } = model
  return {
    name: arbitrator.name,
    folder: deployment.dataFolder,
    argv: asServerAccount(deployment, arbitratorArgv(model, arbitrator)),
    env: environment(deployment),
    log: `logs/${arbitrator.name}.log`,
    host: arbitrator.host,
    ports: [arbitrator.groupPort],
    upPort: arbitrator.groupPort,
    upCheck: null,
    needs: [],
    joins: nodes.map(({ name }) => name),
  }
}

// Joiners that begin with a copy of the first node's data need no transfer, and take 3 s each instead of 4 to 5. The
// data are recognized as those of this cluster only after the first node has bootstrapped it once, which takes 0.3 s.
// Two simultaneous joiners hinder each other: one of them took 8 s.
function formation(model: GaleraModel): readonly FormationStep[] {
  const { deployment, nodes, arbitrator } = model
  const [first, ...others] = nodes
  if (first === undefined) return []
  const joiners = [...others, ...(arbitrator === null ? [] : [arbitrator])]
  return [
    {
      do: 'run',
      what: `creating the data of ${first.name}`,
      commands: [
        ...createDataFolder(deployment, configFiles(model)),
        createData(deployment, first.name, ['--wsrep-on=OFF']),
        bootstrapOnce(model, first),
      ],
    },
    ...copies(model, first, others),
    { do: 'found', process: first.name, args: newClusterArgs },
    ...joiners.map(({ name }): FormationStep => ({ do: 'start', processes: [name] })),
    { do: 'agree' },
  ]
}

function copies(
  { deployment }: GaleraModel,
  first: GaleraNode,
  others: readonly GaleraNode[],
): readonly FormationStep[] {
  if (others.length === 0) return []
  const names = others.map(({ name }) => name)
  return [
    {
      do: 'run',
      what: `copying the data to ${names.join(', ')}`,
      commands: names.map((name) => copyData(deployment, first.name, name)),
    },
  ]
}

function bootstrapOnce({ deployment }: GaleraModel, { name, host }: GaleraNode): PlannedCommand {
  const { conf } = serverPaths(deployment, name)
  const argv = asServerAccount(deployment, [
    deployment.installation.server,
    `--defaults-file=${conf}`,
    ...newClusterArgs,
    `--init-file=${deployment.dataFolder}/conf/found.sql`,
  ])
  // The server already listens on its own address.
  return plannedCommand(deployment, argvInNamespace(deployment.network, host, argv))
}

/** Asks a running node for its state and its position. */
const sourceStateQuery =
  "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status', 'wsrep_local_state_uuid', 'wsrep_last_committed')"

/** What the recovery of a cluster without a majority needs. */
function planRecovery(model: GaleraModel, founding: readonly string[]): PlannedRecovery {
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
    findPosition: plannedCommand(deployment, asServerAccount(deployment, recover)),
    askStanding: sqlCommand(deployment, node, sourceStateQuery),
    promote: sqlCommand(deployment, node, "SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'"),
  }
}
