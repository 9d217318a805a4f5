import {
  asServerAccount,
  clientArgv,
  environment,
  plannedCommand,
  settingFault,
  sqlCommand,
} from '../mariadb/commands.ts'
import { commonSettings, renderConf } from '../mariadb/config.ts'
import { serverPaths } from '../mariadb/deployment.ts'
import {
  applicationUser,
  confFile,
  copyData,
  createData,
  createDataFolder,
  initialSql,
  jdbcUrl,
} from '../mariadb/initial-data.ts'
import type {
  FormationStep,
  LabPlan,
  PlannedCommand,
  PlannedFile,
  PlannedNode,
  PlannedProcess,
} from '../model/plan.ts'
import type { ReplicationModel, ReplicationNode } from './model.ts'
import { primaryQuery, replicaQuery } from './probe.ts'

/** Plans everything that starting the servers will do. */
export function planReplication(model: ReplicationModel): LabPlan {
  const { deployment } = model
  const nodes = [model.primary, ...model.replicas]
  return {
    schema: 'ha-plan/v1',
    lab: deployment.lab,
    kind: 'replication',
    version: deployment.installation.version,
    folder: deployment.folder,
    detectMs: model.detectMs,
    url: jdbcUrl('replication', nodes),
    urlVariable: 'MARIADB_URL',
    nodes: nodes.map((node) => plannedNode(model, node)),
    files: files(model),
    processes: nodes.map((node) => server(model, node)),
    form: formation(model),
    stop: nodes.map(({ name }) => name).reverse(),
    recovery: null,
    notes: [],
  }
}

function plannedNode(model: ReplicationModel, node: ReplicationNode): PlannedNode {
  const { deployment, primary } = model
  const { name, host, port } = node
  return {
    name,
    member: name,
    host,
    port,
    ask: node === primary ? sqlCommand(deployment, name, primaryQuery) : queryVertically(model, node),
    // A replica reconnects to its primary by itself.
    repair: null,
    ctl: plannedCommand(deployment, clientArgv(deployment, name)),
    levers: faultsFor(model, node),
  }
}

// Some forty columns are read by name: their order differs between versions.
function queryVertically({ deployment }: ReplicationModel, { name }: ReplicationNode): PlannedCommand {
  return plannedCommand(
    deployment,
    [...clientArgv(deployment, name).filter((arg) => arg !== '--skip-column-names'), '--vertical'],
    `${replicaQuery};\n`,
  )
}

// A replica is always read-only: healing it of that would make it a second primary.
function faultsFor({ deployment, primary }: ReplicationModel, node: ReplicationNode): PlannedNode['levers'] {
  if (node === primary) return { 'read-only': settingFault(deployment, node.name, ['read_only', '1', '0']) }
  return {
    'stop-applier': {
      begin: sqlCommand(deployment, node.name, 'STOP SLAVE SQL_THREAD'),
      heal: sqlCommand(deployment, node.name, 'START SLAVE SQL_THREAD'),
    },
  }
}

function files(model: ReplicationModel): readonly PlannedFile[] {
  return [
    confFile('first.sql', initialSql(model.deployment)),
    ...[model.primary, ...model.replicas].map((node) =>
      confFile(`${node.name}.cnf`, renderReplicationConf(model, node)),
    ),
  ]
}

function server({ deployment }: ReplicationModel, { name, host, port }: ReplicationNode): PlannedProcess {
  return {
    name,
    folder: deployment.dataFolder,
    argv: asServerAccount(deployment, [
      deployment.installation.server,
      `--defaults-file=${serverPaths(deployment, name).conf}`,
    ]),
    env: environment(deployment),
    log: `logs/${name}.log`,
    host,
    ports: [port],
    upPort: port,
    upCheck: sqlCommand(deployment, name, 'SELECT 1'),
    needs: [],
    joins: [],
  }
}

// All servers begin with the same data and an empty history, so that a replica fetches only what is written later.
function formation(model: ReplicationModel): readonly FormationStep[] {
  const { deployment, primary, replicas } = model
  return [
    {
      do: 'run',
      what: 'creating the data of all servers',
      commands: [
        ...createDataFolder(deployment, files(model)),
        createData(deployment, primary.name, ['--skip-log-bin']),
        ...replicas.map(({ name }) => copyData(deployment, primary.name, name)),
      ],
    },
    { do: 'start', processes: [primary, ...replicas].map(({ name }) => name) },
    {
      do: 'run',
      what: `connecting the replicas to ${primary.name}`,
      commands: replicas.map(({ name }) => sqlCommand(deployment, name, changeMasterSql(model))),
    },
    { do: 'agree' },
  ]
}

// The replica stores the settings, and follows again whenever it starts.
function changeMasterSql({ primary, timers }: ReplicationModel): string {
  const terms = [
    `MASTER_HOST = '${primary.host}'`,
    `MASTER_PORT = ${primary.port}`,
    `MASTER_USER = '${applicationUser}'`,
    `MASTER_PASSWORD = '${applicationUser}'`,
    'MASTER_USE_GTID = slave_pos',
    `MASTER_CONNECT_RETRY = ${timers.retryS}`,
    `MASTER_HEARTBEAT_PERIOD = ${timers.heartbeatS}`,
  ]
  return `CHANGE MASTER TO ${terms.join(', ')}; START SLAVE`
}

/** The text of a server's configuration file. A replica is read-only except for replication and the administrator. */
function renderReplicationConf(model: ReplicationModel, node: ReplicationNode): string {
  return renderConf([
    ...commonSettings(model.deployment, node),
    ['server_id', node.serverId],
    ['log_bin', 'binlog'],
    ['log_slave_updates', 'ON'],
    ['gtid_strict_mode', 'ON'],
    // The name in the primary's `SHOW SLAVE HOSTS`.
    ['report_host', node.name],
    ['slave_net_timeout', model.timers.netTimeoutS],
    ['read_only', node === model.primary ? 0 : 1],
  ])
}
