import { type Environment, findMariadb, findRabbit, findZookeeper } from '../machine/installations.ts'
import { type ServerRoot, thisMachine } from '../machine/server-root.ts'
import { labError } from '../model/errors.ts'
import { type KindName, kindNames } from '../model/plan.ts'

/** Whether the programs of some servers are installed, and the names of those that are not. */
export type ServerSearch = { readonly kind: 'found' } | MissingPrograms

/** The programs that were not found. */
export interface MissingPrograms {
  readonly kind: 'missing'
  readonly programs: readonly string[]
  /** Where the server itself is; undefined when it is not installed. */
  readonly home: string | undefined
}

/** What `doctor` and `installServers` know about the packages of one vendor. */
export interface ServerPackages {
  readonly name: 'rabbitmq' | 'mariadb' | 'zookeeper'
  /** The name of the product, as it is usually written. */
  readonly title: string
  /** The Debian packages that contain all programs. */
  readonly packages: readonly string[]
  /** The Debian package that contains a missing program. */
  packageOf(program: string): string
  /** The systemd units that Debian enables during the installation. */
  readonly units: readonly string[]
  /** The instructions for systems without Debian packages. */
  readonly manualSteps: string
  search(environment: Environment): ServerSearch
}

const rabbit: ServerPackages = {
  name: 'rabbitmq',
  title: 'RabbitMQ',
  // Erlang is a dependency of it.
  packages: ['rabbitmq-server'],
  // It contains erl, epmd and erl_call.
  packageOf: () => 'erlang-base',
  units: ['rabbitmq-server.service', 'epmd.socket', 'epmd.service'],
  manualSteps: 'install RabbitMQ 3.10 or later with Erlang/OTP, and set RABBITMQ_HOME to its folder',
  search: findRabbit,
}

const mariadb: ServerPackages = {
  name: 'mariadb',
  title: 'MariaDB',
  packages: ['mariadb-server', 'galera-4', 'galera-arbitrator-4', 'rsync'],
  packageOf: (program) => mariadbPackages[program] ?? 'mariadb-server',
  units: ['mariadb.service', 'garbd.service', 'garb.service', 'rsync.service'],
  manualSteps: 'install MariaDB 10.11 or later with Galera 4 and rsync',
  search: findMariadb,
}

const mariadbPackages: Readonly<Record<string, string>> = { mariadb: 'mariadb-client', rsync: 'rsync' }

const zookeeper: ServerPackages = {
  name: 'zookeeper',
  title: 'ZooKeeper',
  // The jars without the packages that run them as a service, and a headless Java.
  packages: ['libzookeeper-java', 'default-jre-headless'],
  packageOf: (program) => (program === 'java' ? 'default-jre-headless' : 'libzookeeper-java'),
  units: [],
  manualSteps:
    'install Java 11 or later, unpack ZooKeeper 3.8 or later, and set ZOOKEEPER_HOME to its folder',
  search: findZookeeper,
}

/** The packages for each kind of lab. */
export const serversOf: Readonly<Record<KindName, ServerPackages>> = {
  rabbitmq: rabbit,
  galera: mariadb,
  replication: mariadb,
  zookeeper,
}

/** The packages for these kinds, each once. Default: for all kinds. */
export function serversFor(kinds: readonly KindName[] = kindNames): readonly ServerPackages[] {
  return [...new Set(kinds.map((kind) => serversOf[kind]))]
}

/** What `installServers` and `doctor` know about the system on which they would install. */
export interface HostSystem {
  /** The words of ID and ID_LIKE in os-release: `debian`, `ubuntu`. */
  readonly families: readonly string[]
  readonly isRoot: boolean
  /** The root folder of that system; undefined or empty for this machine. */
  readonly root?: ServerRoot
}

/** How the servers are installed: not at all, by hactl, or by a command that the user has to run. */
export type InstallChoice =
  | { readonly kind: 'complete' }
  | { readonly kind: 'can-install'; readonly packages: readonly string[]; readonly argv: readonly string[] }
  | { readonly kind: 'ask'; readonly packages: readonly string[]; readonly command: string }

const aptArgv: readonly string[] = ['apt-get', 'install', '-y', '--no-install-recommends']

/**
 * Decides how missing programs are installed. An existing server may be in use: nothing is installed over it, and its
 * owner has to complete it.
 */
export function chooseInstall(
  servers: ServerPackages,
  search: ServerSearch,
  host: HostSystem,
): InstallChoice {
  if (search.kind === 'found') return { kind: 'complete' }
  if ((host.root ?? thisMachine) !== thisMachine) return installInRoot(servers, host)
  if (search.home !== undefined) {
    const packages = [...new Set(search.programs.map(servers.packageOf))]
    return { kind: 'ask', packages, command: completionCommand(servers, search, search.home, host) }
  }
  const { packages } = servers
  const argv = [...aptArgv, ...packages]
  if (!isDebian(host)) return { kind: 'ask', packages, command: servers.manualSteps }
  if (!host.isRoot) return { kind: 'ask', packages, command: `sudo ${argv.join(' ')}` }
  return { kind: 'can-install', packages, argv }
}

// Another root belongs to the user who made it.
function installInRoot({ packages, manualSteps }: ServerPackages, host: HostSystem): InstallChoice {
  const command = `chroot ${host.root} ${aptArgv.join(' ')} ${packages.join(' ')}`
  return { kind: 'ask', packages, command: isDebian(host) ? command : `${manualSteps}, in ${host.root}` }
}

/** The error for a lab whose programs are missing. */
export function missingServers(servers: ServerPackages, search: MissingPrograms, host: HostSystem): Error {
  const choice = chooseInstall(servers, search, host)
  const fix =
    choice.kind === 'ask'
      ? choice.command
      : `hactl doctor --fix, or: ${aptArgv.join(' ')} ${servers.packages.join(' ')}`
  const where = (host.root ?? thisMachine) === thisMachine ? 'on this machine' : `in ${host.root}`
  return labError('package-missing', `not found ${where}: ${search.programs.join(', ')}; run: ${fix}`)
}

function completionCommand(
  servers: ServerPackages,
  { programs }: MissingPrograms,
  home: string,
  host: HostSystem,
): string {
  const [names, it] = [programs.join(', '), programs.length === 1 ? 'it' : 'them']
  // The version is read from the plugins: a folder without them is not a complete installation.
  if (programs.includes('rabbitmq-server')) return `repair the RabbitMQ in ${home}: its plugins are missing`
  const packages = [...new Set(programs.map(servers.packageOf))].join(' ')
  const apt = isDebian(host) ? `, or: sudo ${aptArgv.join(' ')} ${packages}` : ''
  return `export PATH="$PATH:<the folder of ${names}>": the ${servers.title} in ${home} lacks ${it}${apt}`
}

function isDebian(host: HostSystem): boolean {
  return host.families.some((family) => family === 'debian' || family === 'ubuntu')
}
