import type { Command, FaultCommands } from '../model/plan.ts'
import { type MariadbDeployment, serverPaths } from './deployment.ts'

// A server that is alive greets in a millisecond; one that is frozen never does.
const connectTimeoutS = 1

/** What the programs of a lab run with: nothing of the user's own environment leaks in. */
export function environment({
  dataFolder,
  installation,
}: MariadbDeployment): Readonly<Record<string, string>> {
  return { HOME: dataFolder, LANG: 'C.UTF-8', PATH: installation.path }
}

/** A command of the user that starts the lab. */
export function command(deployment: MariadbDeployment, argv: readonly string[], stdin = ''): Command {
  return { argv, env: environment(deployment), stdin }
}

/** The same command line, run as the user that servers run as. It stays one process, whose pid signals hit. */
export function asServer({ runAs }: MariadbDeployment, argv: readonly string[]): readonly string[] {
  if (runAs === null) return argv
  return ['setpriv', `--reuid=${runAs.uid}`, `--regid=${runAs.gid}`, '--init-groups', ...argv]
}

/** The client program on a server's own socket, as its administrator; rows come as lines, columns as tabs. */
export function clientArgv(deployment: MariadbDeployment, node: string): readonly string[] {
  return [
    deployment.installation.client,
    '--no-defaults',
    `--socket=${serverPaths(deployment, node).socket}`,
    `--user=${deployment.administrator}`,
    `--connect-timeout=${connectTimeoutS}`,
    '--batch',
    '--skip-column-names',
  ]
}

/** Runs SQL on a server as its administrator. */
export function sql(deployment: MariadbDeployment, node: string, statements: string): Command {
  return command(deployment, clientArgv(deployment, node), `${statements};\n`)
}

/** The first two columns of what the client program printed, by the first. */
export function pairs(output: string): ReadonlyMap<string, string> {
  return new Map(rows(output).map(([key = '', value = '']) => [key.toLowerCase(), value]))
}

/** The rows that the client program printed: columns are parted by tabs. */
export function rows(output: string): readonly (readonly string[])[] {
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))
}

/** The lever that sets a server variable, and sets it back. */
export function settingFault(
  deployment: MariadbDeployment,
  node: string,
  [name, broken, healed]: readonly [name: string, broken: string, healed: string],
): FaultCommands {
  const set = (value: string): string => `SET GLOBAL ${name} = ${value}`
  return { begin: sql(deployment, node, set(broken)), heal: sql(deployment, node, set(healed)) }
}
