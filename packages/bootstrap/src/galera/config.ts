import { settingFault } from '../mariadb/commands.ts'
import { commonSettings, renderConf } from '../mariadb/config.ts'
import { type MariadbDeployment, serverPaths } from '../mariadb/deployment.ts'
import { confFile, initialSql } from '../mariadb/initial-data.ts'
import { type PlannedFile, type PlannedNode, shellQuote } from '../model/plan.ts'
import type { GaleraArbitrator, GaleraModel, GaleraNode } from './model.ts'

/** The configuration files of all nodes, and the SQL that the first node is created with. */
export function configFiles(model: GaleraModel): readonly PlannedFile[] {
  return [
    confFile('first.sql', initialSql(model.deployment)),
    confFile('found.sql', 'SHUTDOWN;\n'),
    ...model.nodes.flatMap((node) => [
      confFile(`${node.name}.cnf`, renderGaleraConf(model, node)),
      confFile(`${node.name}.sh`, renderStartScript(model.deployment, node.name)),
    ]),
  ]
}

/** The text of a node's configuration file. It bootstraps nothing: a node that starts by it joins a cluster. */
export function renderGaleraConf(model: GaleraModel, node: GaleraNode): string {
  return renderConf([
    ...commonSettings(model.deployment, { ...node, port: node.sqlPort }),
    // Required by certification: concurrent inserts on several nodes share no lock on the counter.
    ['innodb_autoinc_lock_mode', 2],
    // Provides `SHOW WSREP_MEMBERSHIP` with the names of the members.
    ['plugin_load_add', 'wsrep_info'],
    // From 11.8 on this plugin turns the provider's options into variables, and has none for gmcast.isolate. Before,
    // it does not exist.
    ['loose_plugin_wsrep_provider', 'OFF'],
    ['wsrep_on', 'ON'],
    ['wsrep_provider', model.provider],
    ['wsrep_cluster_name', model.deployment.lab],
    ['wsrep_cluster_address', groupAddress(model)],
    ['wsrep_node_name', node.name],
    ['wsrep_node_address', `${node.host}:${node.groupPort}`],
    ['wsrep_node_incoming_address', `${node.host}:${node.sqlPort}`],
    ['wsrep_sst_method', 'rsync'],
    ['wsrep_sst_receive_address', `${node.host}:${node.sstPort}`],
    ['wsrep_provider_options', `"${providerOptions(model, node)}"`],
  ])
}

/** The command line of the arbitrator, which has no configuration file. */
export function arbitratorArgv(model: GaleraModel, arbitrator: GaleraArbitrator): readonly string[] {
  return [
    arbitrator.program,
    ...['--name', arbitrator.name, '--group', model.deployment.lab, '--address', groupAddress(model)],
    ...['--options', arbitratorOptions(model, arbitrator)],
  ]
}

// The addresses at which a member looks for the others.
function groupAddress({ nodes, arbitrator }: GaleraModel): string {
  const members = arbitrator === null ? nodes : [...nodes, arbitrator]
  return `gcomm://${members.map(({ host, groupPort }) => `${host}:${groupPort}`).join(',')}`
}

function arbitratorOptions(model: GaleraModel, { host, groupPort }: GaleraArbitrator): string {
  return joined({ ...model.timers, 'gmcast.listen_addr': `tcp://${host}:${groupPort}` })
}

function providerOptions(model: GaleraModel, node: GaleraNode): string {
  return joined({
    ...model.timers,
    'gmcast.listen_addr': `tcp://${node.host}:${node.groupPort}`,
    'ist.recv_addr': `${node.host}:${node.istPort}`,
    // The writes that a node may miss without a full state transfer; the default of 128 MB would apply to each node.
    'gcache.size': '32M',
  })
}

function joined(options: Readonly<Record<string, string>>): string {
  return Object.entries(options)
    .map(([key, value]) => `${key}=${value}`)
    .join(';')
}

/**
 * The text of the script that starts a node. After a crash only the data know the position of the node, and without it
 * the node would receive all data again; the service of the package reads the position first, too. The script replaces
 * itself with the server, so that signals to its pid reach the server.
 */
export function renderStartScript(deployment: MariadbDeployment, node: string): string {
  const { conf, data } = serverPaths(deployment, node)
  const server = `${shellQuote(deployment.installation.server)} --defaults-file=${shellQuote(conf)}`
  return [
    '#!/bin/sh',
    `if grep -q '^seqno: *-1$' ${shellQuote(`${data}/grastate.dat`)}; then`,
    `  position=$(${server} --wsrep-recover 2>&1 | sed -n 's/.*Recovered position: *\\([0-9a-f-]*:[0-9]*\\).*/\\1/p' | tail -n 1)`,
    'fi',
    `exec ${server} \${position:+--wsrep-start-position="$position"} "$@"`,
    '',
  ].join('\n')
}

/** The faults that a node can inflict on itself. A restart ends each of them. */
export function galeraFaults(deployment: MariadbDeployment, node: string): PlannedNode['levers'] {
  const fault = (name: string, broken: string, healed: string) =>
    settingFault(deployment, node, [name, broken, healed])
  return {
    isolate: fault('wsrep_provider_options', "'gmcast.isolate=1'", "'gmcast.isolate=0'"),
    desync: fault('wsrep_desync', 'ON', 'OFF'),
    'reject-queries': fault('wsrep_reject_queries', 'ALL', 'NONE'),
    'read-only': fault('read_only', '1', '0'),
  }
}
