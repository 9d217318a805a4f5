import { asServer, clientArgv, command, environment, sql } from '../mariadb/commands.ts'
import { application, confFile, copyData, firstSql, makeData, makeDataFolder } from '../mariadb/first-data.ts'
import { jdbcUrl } from '../mariadb/jdbc-url.ts'
import { settingLever } from '../mariadb/levers.ts'
import { serverPaths } from '../mariadb/paths.ts'
import type { Command, Plan, PlannedFile, PlannedNode, PlannedProcess, Step } from '../model/plan.ts'
import { askPrimary, askReplica } from './answers.ts'
import { renderReplicationConf } from './conf.ts'
import type { ReplicationModel, ReplicationNode } from './model.ts'

/** Everything that starting the servers will do. */
export function planReplication(model: ReplicationModel): Plan {
  const { place } = model
  const nodes = [model.primary, ...model.replicas]
  return {
    schema: 'ha-plan/v1',
    lab: place.lab,
    kind: 'replication',
    version: place.installation.version,
    folder: place.folder,
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
  const { place, primary } = model
  const { name, host, port } = node
  return {
    name,
    member: name,
    host,
    port,
    ask: node === primary ? sql(place, name, askPrimary) : askVertically(model, node),
    // A replica dials its primary again by itself.
    repair: null,
    ctl: command(place, clientArgv(place, name)),
    levers: levers(model, node),
  }
}

// Forty columns, named and not counted: their order differs from version to version.
function askVertically({ place }: ReplicationModel, { name }: ReplicationNode): Command {
  return command(
    place,
    [...clientArgv(place, name).filter((arg) => arg !== '--skip-column-names'), '--vertical'],
    `${askReplica};\n`,
  )
}

// A replica is read-only always: healing it of that would make it a second primary.
function levers({ place, primary }: ReplicationModel, node: ReplicationNode): PlannedNode['levers'] {
  if (node === primary) return { 'read-only': settingLever(place, node.name, ['read_only', '1', '0']) }
  return {
    'stop-applier': {
      begin: sql(place, node.name, 'STOP SLAVE SQL_THREAD'),
      heal: sql(place, node.name, 'START SLAVE SQL_THREAD'),
    },
  }
}

function files(model: ReplicationModel): readonly PlannedFile[] {
  return [
    confFile('first.sql', firstSql(model.place)),
    ...[model.primary, ...model.replicas].map((node) =>
      confFile(`${node.name}.cnf`, renderReplicationConf(model, node)),
    ),
  ]
}

function server({ place }: ReplicationModel, { name, host, port }: ReplicationNode): PlannedProcess {
  return {
    name,
    folder: place.dataFolder,
    argv: asServer(place, [place.installation.server, `--defaults-file=${serverPaths(place, name).conf}`]),
    env: environment(place),
    log: `logs/${name}.log`,
    host,
    ports: [port],
    upPort: port,
    upCheck: sql(place, name, 'SELECT 1'),
    needs: [],
    joins: [],
  }
}

// All begin with the same data and an empty history, so a replica has nothing to fetch but what is written later.
function formation(model: ReplicationModel): readonly Step[] {
  const { place, primary, replicas } = model
  return [
    {
      do: 'run',
      what: 'the data of all servers',
      commands: [
        ...makeDataFolder(place, files(model)),
        makeData(place, primary.name, ['--skip-log-bin']),
        ...replicas.map(({ name }) => copyData(place, primary.name, name)),
      ],
    },
    { do: 'start', processes: [primary, ...replicas].map(({ name }) => name) },
    {
      do: 'run',
      what: `letting the replicas follow ${primary.name}`,
      commands: replicas.map(({ name }) => sql(place, name, follow(model))),
    },
    { do: 'agree' },
  ]
}

// Written down by the replica: it follows again whenever it starts.
function follow({ primary, timers }: ReplicationModel): string {
  const terms = [
    `MASTER_HOST = '${primary.host}'`,
    `MASTER_PORT = ${primary.port}`,
    `MASTER_USER = '${application}'`,
    `MASTER_PASSWORD = '${application}'`,
    'MASTER_USE_GTID = slave_pos',
    `MASTER_CONNECT_RETRY = ${timers.retryS}`,
    `MASTER_HEARTBEAT_PERIOD = ${timers.heartbeatS}`,
  ]
  return `CHANGE MASTER TO ${terms.join(', ')}; START SLAVE`
}
