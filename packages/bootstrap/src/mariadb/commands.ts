import type { FaultCommands, PlannedCommand } from '../model/plan.ts'
import { type MariadbDeployment, serverPaths } from './deployment.ts'

// A working server sends its greeting within a millisecond; a frozen one never does.
const connectTimeoutS = 1

/** The environment of the programs of a lab; it contains nothing of the user's environment. */
export function environment({
  dataFolder,
  installation,
}: MariadbDeployment): Readonly<Record<string, string>> {
  return { HOME: dataFolder, LANG: 'C.UTF-8', PATH: installation.path }
}

/** A command of the user that starts the lab. */
export function plannedCommand(
  deployment: MariadbDeployment,
  argv: readonly string[],
  stdin = '',
): PlannedCommand {
  return { argv, env: environment(deployment), stdin }
}

/**
 * The same command line under the account of the servers. It stays one process, so that signals to its pid reach the
 * server.
 */
export function asServerAccount({ runAs }: MariadbDeployment, argv: readonly string[]): readonly string[] {
  if (runAs === null) return argv
  return ['setpriv', `--reuid=${runAs.uid}`, `--regid=${runAs.gid}`, '--init-groups', ...argv]
}

/** The client program on a server's own socket, as administrator; rows are lines, and columns are separated by tabs. */
export function clientArgv(deployment: MariadbDeployment, node: string): readonly string[] {
  return [
    deployment.installation.client,
    '--no-defaults',
    `--socket=${serverPaths(deployment, node).socket}`,
    `--user=${deployment.administrator ?? 'root'}`,
    `--connect-timeout=${connectTimeoutS}`,
    '--batch',
    '--skip-column-names',
  ]
}

/** Runs SQL on a server as administrator. */
export function sqlCommand(deployment: MariadbDeployment, node: string, statements: string): PlannedCommand {
  return plannedCommand(deployment, clientArgv(deployment, node), `${statements};\n`)
}

/** The second column of the client program's output by the first, in lower case. */
export function parsePairs(output: string): ReadonlyMap<string, string> {
  return new Map(parseRows(output).map(([key = '', value = '']) => [key.toLowerCase(), value]))
}

/** The rows of the client program's output; columns are separated by tabs. */
export function parseRows(output: string): readonly (readonly string[])[] {
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
}

/** The commands that set a server variable, and set it back. */
export function settingFault(
  deployment: MariadbDeployment,
  node: string,
  [name, broken, healed]: readonly [name: string, broken: string, healed: string],
): FaultCommands {
  const set = (value: string): string => `SET GLOBAL ${name} = ${value}`
  return { begin: sqlCommand(deployment, node, set(broken)), heal: sqlCommand(deployment, node, set(healed)) }
}
