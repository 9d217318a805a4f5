import { dirname } from 'node:path'
import type { PlannedCommand, PlannedFile } from '../model/plan.ts'
import { anyHost } from '../sandbox/network-scripts.ts'
import { asServerAccount, plannedCommand } from './commands.ts'
import type { ServerAddress } from './config.ts'
import { type MariadbDeployment, serverPaths } from './deployment.ts'

/** The user, the password and the database for applications of a lab. */
export const applicationUser = 'ha'

// An application may watch replication and end connections, and may not write to a read-only server. The first
// statement restores the grant tables, which are disabled during the installation.
function initialStatements({ network, administrator }: MariadbDeployment): readonly string[] {
  const user = `'${applicationUser}'@'${network.kind === 'loopback' ? '127.0.0.1' : anyHost}'`
  return [
    // An administrator without a password may use the socket only, which lies in a folder that is closed to others.
    ...(administrator === null
      ? ["DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost'"]
      : []),
    'FLUSH PRIVILEGES',
    `CREATE DATABASE ${applicationUser}`,
    `CREATE USER ${user} IDENTIFIED BY '${applicationUser}'`,
    `GRANT ALL ON ${applicationUser}.* TO ${user}`,
    `GRANT REPLICATION SLAVE, BINLOG MONITOR, SLAVE MONITOR, CONNECTION ADMIN, PROCESS, RELOAD ON *.* TO ${user}`,
  ]
}

/** The statements that create the application's user, restricted to the addresses of applications and replicas. */
export function initialSql(deployment: MariadbDeployment): string {
  return initialStatements(deployment)
    .map((statement) => `${statement};\n`)
    .join('')
}

/** A file that servers read. It is written to the lab's folder, and copied to where the servers can read it. */
export function confFile(name: string, text: string): PlannedFile {
  return { path: `conf/${name}`, mode: 0o600, secret: false, content: { kind: 'text', text } }
}

/** Creates the folder for the servers' data, with a copy of the given files. */
export function createDataFolder(
  deployment: MariadbDeployment,
  files: readonly PlannedFile[],
): readonly PlannedCommand[] {
  const { dataFolder, folder, runAs } = deployment
  const owner = runAs === null ? [] : ['-o', String(runAs.uid), '-g', String(runAs.gid)]
  // The parent folder can be passed and not listed by other users.
  const way = runAs === null ? [] : [['install', '-d', '-m', '0711', dirname(dataFolder)]]
  return [
    ...way,
    ['install', '-d', '-m', '0700', ...owner, dataFolder, `${dataFolder}/conf`],
    [
      ...['install', '-m', '0600', ...owner, '-t', `${dataFolder}/conf`],
      ...files.map(({ path }) => `${folder}/${path}`),
    ],
  ].map((argv) => plannedCommand(deployment, argv))
}

/** Creates the data of a server: the system tables, the application's user, and no test database. */
export function createData(
  deployment: MariadbDeployment,
  node: string,
  more: readonly string[],
): PlannedCommand {
  const { installation, dataFolder, administrator } = deployment
  const { conf } = serverPaths(deployment, node)
  return plannedCommand(
    deployment,
    asServerAccount(deployment, [
      installation.installDb,
      // The server accepts it only as the first argument.
      `--defaults-file=${conf}`,
      // The administrator logs in over the socket, and with no password.
      ...(administrator === null
        ? ['--auth-root-authentication-method=normal']
        : ['--auth-root-authentication-method=socket', `--auth-root-socket-user=${administrator}`]),
      '--skip-test-db',
      // Only omits the check that the name of the machine resolves: the servers of a lab use addresses.
      '--force',
      '--skip-name-resolve',
      `--extra-file=${dataFolder}/conf/first.sql`,
      ...more,
    ]),
  )
}

/** Copies the data of a server that does not run. */
export function copyData(deployment: MariadbDeployment, from: string, to: string): PlannedCommand {
  const [source, target] = [serverPaths(deployment, from).data, serverPaths(deployment, to).data]
  // Where the file system supports it, the copy shares its blocks with the original until one of them changes.
  return plannedCommand(
    deployment,
    asServerAccount(deployment, ['cp', '--recursive', '--reflink=auto', source, target]),
  )
}

/** The address that an application connects to, in the notation of MariaDB's Java connector. */
export function jdbcUrl(
  mode: 'sequential' | 'replication',
  servers: readonly Pick<ServerAddress, 'host' | 'port'>[],
): string {
  const hosts = servers.map(({ host, port }) => `${host}:${port}`).join(',')
  return `jdbc:mariadb:${mode}://${hosts}/${applicationUser}?user=${applicationUser}&password=${applicationUser}`
}
