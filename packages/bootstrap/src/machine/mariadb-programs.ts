import { spawnSync } from 'node:child_process'
import type { MariadbInstallation } from '../mariadb/installation.ts'
import { type Environment, findProgram, searchPath } from './search-path.ts'

/** The programs that were found, or the names of those that were not. */
export type MariadbSearch =
  | { readonly kind: 'found'; readonly installation: MariadbInstallation }
  | {
      readonly kind: 'missing'
      readonly programs: readonly string[]
      /** The server itself, when that is there; undefined: no MariaDB was found at all. */
      readonly home: string | undefined
    }

// Where packages put the server and garbd: not on the search path of an ordinary user.
const systemFolders = ['/usr/sbin', '/usr/local/sbin', '/sbin']
const providerPaths = [
  '/usr/lib/galera/libgalera_smm.so',
  '/usr/lib64/galera-4/libgalera_smm.so',
  '/usr/lib/libgalera_smm.so',
]
const versionTimeoutMs = 10_000

/** Looks for the programs of MariaDB: the search path first, then where packages put them. */
export function findMariadb(environment: Environment): MariadbSearch {
  const folders = [...searchPath(environment), '/usr/bin', ...systemFolders]
  const server = findProgram('mariadbd', folders)
  const client = findProgram('mariadb', folders)
  const installDb = findProgram('mariadb-install-db', folders)
  // What copies the data to a joiner of a Galera cluster.
  const rsync = findProgram('rsync', folders)
  if (server === undefined || client === undefined || installDb === undefined || rsync === undefined) {
    const all = { mariadbd: server, mariadb: client, 'mariadb-install-db': installDb, rsync }
    const programs = Object.entries(all).flatMap(([name, path]) => (path === undefined ? [name] : []))
    return { kind: 'missing', programs, home: server }
  }
  return {
    kind: 'found',
    installation: {
      version: mariadbVersion(server),
      server,
      client,
      installDb,
      provider: providerPaths.find((path) => findProgram(path, ['/']) !== undefined) ?? null,
      arbitrator: findProgram('garbd', folders) ?? null,
      path: [...new Set(folders)].join(':'),
    },
  }
}

// `mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)`
function mariadbVersion(server: string): string {
  const { stdout } = spawnSync(server, ['--no-defaults', '--version'], {
    encoding: 'utf8',
    timeout: versionTimeoutMs,
  })
  return /Ver (\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? 'unknown'
}
