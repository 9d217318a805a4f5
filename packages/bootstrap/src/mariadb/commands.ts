import type { Command } from '../model/plan.ts'
import { serverPaths } from './paths.ts'
import type { MariadbPlace } from './place.ts'

// A server that is alive greets in a millisecond; one that is frozen never does.
const connectTimeoutS = 1

/** What the programs of a lab run with: nothing of the user's own environment leaks in. */
export function environment({ dataFolder, installation }: MariadbPlace): Readonly<Record<string, string>> {
  return { HOME: dataFolder, LANG: 'C.UTF-8', PATH: installation.path }
}

/** A command of the user that starts the lab. */
export function command(place: MariadbPlace, argv: readonly string[], stdin = ''): Command {
  return { argv, env: environment(place), stdin }
}

/** The same command line, run as the user that servers run as. It stays one process, whose pid signals hit. */
export function asServer({ runAs }: MariadbPlace, argv: readonly string[]): readonly string[] {
  if (runAs === null) return argv
  return ['setpriv', `--reuid=${runAs.uid}`, `--regid=${runAs.gid}`, '--init-groups', ...argv]
}

/** The client program on a server's own socket, as its administrator; rows come as lines, columns as tabs. */
export function clientArgv(place: MariadbPlace, node: string): readonly string[] {
  return [
    place.installation.client,
    '--no-defaults',
    `--socket=${serverPaths(place, node).socket}`,
    `--user=${place.administrator}`,
    `--connect-timeout=${connectTimeoutS}`,
    '--batch',
    '--skip-column-names',
  ]
}

/** Runs SQL on a server as its administrator. */
export function sql(place: MariadbPlace, node: string, statements: string): Command {
  return command(place, clientArgv(place, node), `${statements};\n`)
}
