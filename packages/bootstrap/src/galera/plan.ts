import { asServer, clientArgv, command, environment, sql } from '../mariadb/commands.ts'
import { confFile, copyData, firstSql, makeData, makeDataFolder } from '../mariadb/first-data.ts'
import { jdbcUrl } from '../mariadb/jdbc-url.ts'
import { serverPaths } from '../mariadb/paths.ts'
import type { Command, Plan, PlannedFile, PlannedNode, PlannedProcess, Step } from '../model/plan.ts'
import { argvAt } from '../sandbox/spread.ts'
import { askView } from './answers.ts'
import { arbitratorOptions, groupAddress, renderGaleraConf } from './conf.ts'
import { galeraLevers } from './levers.ts'
import type { GaleraArbitrator, GaleraModel, GaleraNode } from './model.ts'
import { planRecovery } from './plan-recovery.ts'
import { renderStartScript } from './start-script.ts'

/** Founds a cluster. Given on the command line once: in a file it would found another one at the next crash. */
const founding = ['--wsrep-new-cluster']
// A node that wakes joins by itself: within 4 s of a freeze of 6 s, within 10 s of one of 20 s.
const patienceMs = 30_000

/** Everything that starting the cluster will do. */
export function planGalera(model: GaleraModel): Plan {
  const { place, nodes, arbitrator } = model
  const arbitrators = arbitrator === null ? [] : [arbitrator]
  return {
    schema: 'ha-plan/v1',
    lab: place.lab,
    kind: 'galera',
    version: place.installation.version,
    folder: place.folder,
    detectMs: model.detectMs,
    url: jdbcUrl(
      'sequential',
      nodes.map(({ host, sqlPort }) => ({ host, port: sqlPort })),
    ),
    urlVariable: 'MARIADB_URL',
    nodes: [...nodes.map((node) => plannedNode(model, node)), ...arbitrators.map(plannedArbitrator)],
    files: files(model),
    processes: [...nodes.map((node) => server(model, node)), ...arbitrators.map((one) => voter(model, one))],
    form: formation(model),
    stop: [...arbitrators, ...[...nodes].reverse()].map(({ name }) => name),
    recovery: planRecovery(model, founding),
    notes: model.notes,
  }
}

function plannedNode({ place }: GaleraModel, { name, host, sqlPort }: GaleraNode): PlannedNode {
  return {
    name,
    member: name,
    host,
    port: sqlPort,
    ask: sql(place, name, askView),
    repair: { command: null, patienceMs },
    ctl: command(place, clientArgv(place, name)),
    levers: galeraLevers(place, name),
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

function files(model: GaleraModel): readonly PlannedFile[] {
  return [
    confFile('first.sql', firstSql(model.place)),
    confFile('found.sql', 'SHUTDOWN;\n'),
    ...model.nodes.flatMap((node) => [
      confFile(`${node.name}.cnf`, renderGaleraConf(model, node)),
      confFile(`${node.name}.sh`, renderStartScript(model.place, node.name)),
    ]),
  ]
}

function server(model: GaleraModel, node: GaleraNode): PlannedProcess {
  const { place } = model
  return {
    name: node.name,
    folder: place.dataFolder,
    argv: asServer(place, ['/bin/sh', serverPaths(place, node.name).startScript]),
    env: environment(place),
    log: `logs/${node.name}.log`,
    host: node.host,
    ports: [node.sqlPort, node.groupPort, node.istPort, node.sstPort],
    upPort: node.sqlPort,
    // The port is open long before the server takes questions: while it is still waiting for its data.
    upCheck: sql(place, node.name, 'SELECT 1'),
    needs: [],
    joins: model.nodes.map(({ name }) => name).filter((name) => name !== node.name),
  }
}

function voter(model: GaleraModel, arbitrator: GaleraArbitrator): PlannedProcess {
  const { place, nodes } = model
  return {
    name: arbitrator.name,
    folder: place.dataFolder,
    argv: asServer(place, [
      arbitrator.program,
      ...['--name', arbitrator.name, '--group', place.lab, '--address', groupAddress(model)],
      ...['--options', arbitratorOptions(model, arbitrator)],
    ]),
    env: environment(place),
    log: `logs/${arbitrator.name}.log`,
    host: arbitrator.host,
    ports: [arbitrator.groupPort],
    upPort: arbitrator.groupPort,
    upCheck: null,
    needs: [],
    joins: nodes.map(({ name }) => name),
  }
}

// Joiners that begin with the data of the first node miss nothing, and take 3 s each instead of 4 to 5. To be known
// as the data of this cluster, the first node's must have been a cluster once: it founds one and ends at once, in
// 0.3 s. Two joiners at the same time hinder each other: one of them took 8 s.
function formation(model: GaleraModel): readonly Step[] {
  const { place, nodes, arbitrator } = model
  const [first, ...others] = nodes
  if (first === undefined) return []
  const joiners = [...others, ...(arbitrator === null ? [] : [arbitrator])]
  return [
    {
      do: 'run',
      what: `the data of ${first.name}`,
      commands: [
        ...makeDataFolder(place, files(model)),
        makeData(place, first.name, ['--wsrep-on=OFF']),
        foundAndEnd(model, first),
      ],
    },
    ...copies(model, first, others),
    { do: 'found', process: first.name, args: founding },
    ...joiners.map(({ name }): Step => ({ do: 'start', processes: [name] })),
    { do: 'agree' },
  ]
}

function copies({ place }: GaleraModel, first: GaleraNode, others: readonly GaleraNode[]): readonly Step[] {
  if (others.length === 0) return []
  const names = others.map(({ name }) => name)
  return [
    {
      do: 'run',
      what: `copies of it for ${names.join(', ')}`,
      commands: names.map((name) => copyData(place, first.name, name)),
    },
  ]
}

function foundAndEnd({ place }: GaleraModel, { name, host }: GaleraNode): Command {
  const { conf } = serverPaths(place, name)
  const argv = asServer(place, [
    place.installation.server,
    `--defaults-file=${conf}`,
    ...founding,
    `--init-file=${place.dataFolder}/conf/found.sql`,
  ])
  // It listens on its own address already.
  return command(place, argvAt(place.network, host, argv))
}
