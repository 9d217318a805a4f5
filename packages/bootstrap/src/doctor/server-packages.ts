import { type Environment, findMariadb, findRabbit, findZookeeper } from '../machine/installations.ts'
import { labError } from '../model/errors.ts'
import { type KindName, kindNames } from '../model/plan.ts'

/** Whether the programs of some servers are here, or the names of those that are not. */
export type ServerSearch = { readonly kind: 'found' } | MissingPrograms

/** What a search did not find. */
export interface MissingPrograms {
  readonly kind: 'missing'
  readonly programs: readonly string[]
  /** Where the server itself is, when that is there; undefined: nothing of it was found. */
  readonly home: string | undefined
}

/** What `doctor` and `installServers` know about the servers of one vendor. */
export interface ServerPackages {
  readonly name: 'rabbitmq' | 'mariadb' | 'zookeeper'
  /** As people write it. */
  readonly title: string
  /** The Debian packages that hold all programs. */
  readonly packages: readonly string[]
  /** The Debian package that holds a program which an installation lacks. */
  packageOf(program: string): string
  /** What Debian enables when it installs them. */
  readonly units: readonly string[]
  /** What somebody does where there are no Debian packages. */
  readonly manualSteps: string
  search(environment: Environment): ServerSearch
}

const rabbit: ServerPackages = {
  name: 'rabbitmq',
  title: 'RabbitMQ',
  // Erlang comes with it.
  packages: ['rabbitmq-server'],
  // It holds erl, epmd and erl_call.
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
  // The jars without the packages that make a service of them, and a Java without a screen.
  packages: ['libzookeeper-java', 'default-jre-headless'],
  packageOf: (program) => (program === 'java' ? 'default-jre-headless' : 'libzookeeper-java'),
  units: [],
  manualSteps:
    'install Java 11 or later, unpack ZooKeeper 3.8 or later, and set ZOOKEEPER_HOME to its folder',
  search: findZookeeper,
}

/** The servers that labs of each kind are made of. */
export const serversOf: Readonly<Record<KindName, ServerPackages>> = {
  rabbitmq: rabbit,
  galera: mariadb,
  replication: mariadb,
  zookeeper,
}

/** The servers of these kinds, each once. Default: of all kinds. */
export function serversFor(kinds: readonly KindName[] = kindNames): readonly ServerPackages[] {
  return [...new Set(kinds.map((kind) => serversOf[kind]))]
}

/** What `installServers` and `doctor` know about the machine they would install on. */
export interface HostSystem {
  /** The words of ID and ID_LIKE in os-release: `debian`, `ubuntu`. */
  readonly families: readonly string[]
  readonly isRoot: boolean
}

/** How the servers get here: nothing to do, we can do it, or somebody else has to. */
export type InstallChoice =
  | { readonly kind: 'complete' }
  | { readonly kind: 'can-install'; readonly packages: readonly string[]; readonly argv: readonly string[] }
  | { readonly kind: 'ask'; readonly packages: readonly string[]; readonly command: string }

const aptArgv: readonly string[] = ['apt-get', 'install', '-y', '--no-install-recommends']

/**
 * Decides how missing programs are installed. A server that is there already may be in use: nothing is installed over
 * it, and what it lacks is for its owner to put right.
 */
export function chooseInstall(
  servers: ServerPackages,
  search: ServerSearch,
  host: HostSystem,
): InstallChoice {
  if (search.kind === 'found') return { kind: 'complete' }
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

/** What is said when a lab is wanted and its programs are not there. */
export function missingServers(servers: ServerPackages, search: MissingPrograms, host: HostSystem): Error {
  const choice = chooseInstall(servers, search, host)
  const fix =
    choice.kind === 'ask'
      ? choice.command
      : `hactl doctor --fix, or: ${aptArgv.join(' ')} ${servers.packages.join(' ')}`
  return labError('package-missing', `not found on this machine: ${search.programs.join(', ')}; type: ${fix}`)
}

function completionCommand(
  servers: ServerPackages,
  { programs }: MissingPrograms,
  home: string,
  host: HostSystem,
): string {
  const [names, it] = [programs.join(', '), programs.length === 1 ? 'it' : 'them']
  // Its version is read from its plugins: a folder without them is no whole installation.
  if (programs.includes('rabbitmq-server'))
    return `put the RabbitMQ in ${home} right: its plugins are not there`
  const packages = [...new Set(programs.map(servers.packageOf))].join(' ')
  const apt = isDebian(host) ? `, or: sudo ${aptArgv.join(' ')} ${packages}` : ''
  return `export PATH="$PATH:<the folder of ${names}>": the ${servers.title} in ${home} is there without ${it}${apt}`
}

function isDebian(host: HostSystem): boolean {
  return host.families.some((family) => family === 'debian' || family === 'ubuntu')
}
