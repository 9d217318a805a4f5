import { dirname } from 'node:path'
import type { Command, PlannedFile } from '../model/plan.ts'
import { anyHost } from '../sandbox/network-scripts.ts'
import { asServer, command } from './commands.ts'
import type { Listener } from './config.ts'
import { type MariadbDeployment, serverPaths } from './deployment.ts'

/** The user, the password and the database that applications of a lab use. */
export const applicationUser = 'ha'

// An application may watch replication and end connections, and may not write to what is read-only. The first line
// brings the grant tables back that the installation works without.
function initialStatements({ network }: MariadbDeployment): readonly string[] {
  const user = `'${applicationUser}'@'${network.kind === 'loopback' ? '127.0.0.1' : anyHost}'`
  return [
    'FLUSH PRIVILEGES',
    `CREATE DATABASE ${applicationUser}`,
    `CREATE USER ${user} IDENTIFIED BY '${applicationUser}'`,
    `GRANT ALL ON ${applicationUser}.* TO ${user}`,
    `GRANT REPLICATION SLAVE, BINLOG MONITOR, SLAVE MONITOR, CONNECTION ADMIN, PROCESS, RELOAD ON *.* TO ${user}`,
  ]
}

/** The statements that make the application's user, who comes from where applications and replicas are. */
export function initialSql(deployment: MariadbDeployment): string {
  return initialStatements(deployment)
    .map((statement) => `${statement};\n`)
    .join('')
}

/** A file of the lab that servers read; it is written where nobody else does, and copied to where they can. */
export function confFile(name: string, text: string): PlannedFile {
  return { path: `conf/${name}`, mode: 0o600, secret: false, content: { kind: 'text', text } }
}

/** Makes the folder for the servers' data, with the given files of the lab in it. */
export function createDataFolder(
  deployment: MariadbDeployment,
  files: readonly PlannedFile[],
): readonly Command[] {
  const { dataFolder, folder, runAs } = deployment
  const owner = runAs === null ? [] : ['-o', String(runAs.uid), '-g', String(runAs.gid)]
  // On the way to data of another user that one may pass, and nobody look around.
  const way = runAs === null ? [] : [['install', '-d', '-m', '0711', dirname(dataFolder)]]
  return [
    ...way,
    ['install', '-d', '-m', '0700', ...owner, dataFolder, `${dataFolder}/conf`],
    [
      ...['install', '-m', '0600', ...owner, '-t', `${dataFolder}/conf`],
      ...files.map(({ path }) => `${folder}/${path}`),
    ],
  ].map((argv) => command(deployment, argv))
}

/** Makes the data of a server that has none: the system tables, the application's user, and no test database. */
export function createData(deployment: MariadbDeployment, node: string, more: readonly string[]): Command {
  const { installation, dataFolder, administrator } = deployment
  const { conf } = serverPaths(deployment, node)
  return command(
    deployment,
    asServer(deployment, [
      installation.installDb,
      // The server takes it as its first argument or not at all.
      `--defaults-file=${conf}`,
      // The administrator comes in over the socket and by no password.
      '--auth-root-authentication-method=socket',
      `--auth-root-socket-user=${administrator}`,
      '--skip-test-db',
      '--skip-name-resolve',
      `--extra-file=${dataFolder}/conf/first.sql`,
      ...more,
    ]),
  )
}

/** Gives a server a copy of the data of another one that does not run. */
export function copyData(deployment: MariadbDeployment, from: string, to: string): Command {
  const [source, target] = [serverPaths(deployment, from).data, serverPaths(deployment, to).data]
  // Where the file system can, the copy shares its blocks with the original until one of them changes.
  return command(deployment, asServer(deployment, ['cp', '--recursive', '--reflink=auto', source, target]))
}

/** What an application dials, as its Java neighbour writes it. */
export function jdbcUrl(
  mode: 'sequential' | 'replication',
  servers: readonly Pick<Listener, 'host' | 'port'>[],
): string {
  const hosts = servers.map(({ host, port }) => `${host}:${port}`).join(',')
  return `jdbc:mariadb:${mode}://${hosts}/${applicationUser}?user=${applicationUser}&password=${applicationUser}`
}
