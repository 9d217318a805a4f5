import { findMariadb } from '../machine/mariadb-programs.ts'
import { findRabbit } from '../machine/rabbit-programs.ts'
import type { Environment } from '../machine/search-path.ts'
import { findZookeeper } from '../machine/zookeeper-programs.ts'
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
