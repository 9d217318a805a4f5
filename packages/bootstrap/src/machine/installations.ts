import { spawnSync } from 'node:child_process'
import { basename, dirname, join } from 'node:path'
import { argvInRoot, listInRoot, resolveInRoot, type ServerRoot, thisMachine } from './server-root.ts'

/** The environment variables that a search reads. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The folders in which programs are looked for, in order. */
export function searchPath(environment: Environment): readonly string[] {
  return (environment['PATH'] ?? '').split(':').filter((folder) => folder !== '')
}

/** The first file of that name in the folders. */
export function findProgram(
  name: string,
  folders: readonly string[],
  root: ServerRoot = thisMachine,
): string | undefined {
  return folders.map((folder) => join(folder, name)).find((path) => resolveInRoot(root, path) !== undefined)
}

/** The installation that was found, or the names of the missing programs. */
export type RabbitSearch =
  | { readonly kind: 'found'; readonly installation: RabbitInstallation }
  | {
      readonly kind: 'missing'
      readonly programs: readonly string[]
      /** The folder of the server when it exists; undefined when no RabbitMQ was found. */
      readonly home: string | undefined
    }

/**
 * Looks for RabbitMQ and Erlang: in RABBITMQ_HOME, then on the search path, then where packages install them. The
 * command that Debian puts on the search path switches user and home, so the scripts behind it are used.
 */
export function findRabbit(environment: Environment, root: ServerRoot = thisMachine): RabbitSearch {
  const folders = searchPath(environment)
  const home = rabbitHomes(environment, folders, root).find((folder) => isRabbitHome(folder, root))
  const erl = findProgram('erl', folders, root)
  const erlang = erlangFolders(erl, root)
  const epmd = findProgram('epmd', [...folders, ...erlang], root)
  const erlCall = findProgram('erl_call', [...folders, ...erlang], root)
  const plugins = home === undefined ? [] : listInRoot(root, join(home, 'plugins'))
  const version = rabbitVersion(plugins)
  if (
    home === undefined ||
    version === undefined ||
    erl === undefined ||
    epmd === undefined ||
    erlCall === undefined
  ) {
    const found = { 'rabbitmq-server': version, erl, epmd, erl_call: erlCall }
    return { kind: 'missing', programs: Object.keys(found).filter((name) => isMissing(found, name)), home }
  }
  return {
    kind: 'found',
    installation: { version, home, plugins, erlangBin: dirname(erl), epmd, erlCall },
  }
}

function isMissing(found: Readonly<Record<string, string | undefined>>, name: string): boolean {
  return found[name] === undefined
}

function rabbitHomes(
  environment: Environment,
  folders: readonly string[],
  root: ServerRoot,
): readonly string[] {
  const given = environment['RABBITMQ_HOME']
  return [
    ...(given === undefined ? [] : [given]),
    // The scripts of a package may be links into its private folder: <home>/sbin/rabbitmq-server.
    ...[...folders, '/usr/lib/rabbitmq/bin']
      .map((folder) => resolveInRoot(root, join(folder, 'rabbitmq-server')))
      .filter((path) => path !== undefined)
      .map((path) => dirname(dirname(path))),
    ...foldersIn(root, '/usr/lib/rabbitmq/lib'),
    ...foldersIn(root, '/opt/rabbitmq'),
  ]
}

function isRabbitHome(home: string, root: ServerRoot): boolean {
  return ['sbin/rabbitmq-server', 'escript', 'plugins'].every(
    (path) => resolveInRoot(root, join(home, path)) !== undefined,
  )
}

// The version is in the name of the server's own application or archive: rabbit-3.10.8, rabbit-3.8.9.ez.
function rabbitVersion(plugins: readonly string[]): string | undefined {
  return plugins
    .map((plugin) => /^rabbit-(\d+\.\d+\.\d+[\w.+-]*?)(?:\.ez)?$/.exec(plugin)?.[1])
    .find((version) => version !== undefined)
}

// Programs that a package does not link into the search path are in the folders of the Erlang installation.
function erlangFolders(erl: string | undefined, root: ServerRoot): readonly string[] {
  const installed = erl === undefined ? undefined : resolveInRoot(root, erl)
  const homes = ['/usr/lib/erlang', '/usr/local/lib/erlang']
  if (installed !== undefined) homes.unshift(dirname(dirname(installed)))
  return homes.flatMap((home) => [
    join(home, 'bin'),
    ...foldersIn(root, home)
      .filter((folder) => basename(folder).startsWith('erts-'))
      .map((folder) => join(folder, 'bin')),
    ...foldersIn(root, join(home, 'lib'))
      .filter((folder) => basename(folder).startsWith('erl_interface-'))
      .map((folder) => join(folder, 'bin')),
  ])
}

function foldersIn(root: ServerRoot, folder: string): readonly string[] {
  return listInRoot(root, folder).map((name) => join(folder, name))
}

/** Where the programs of RabbitMQ and Erlang are on this machine; an input of the plan. */
export interface RabbitInstallation {
  readonly version: string
  /** The folder that contains `sbin`, `escript` and `plugins`. */
  readonly home: string
  /** The content of `plugins`, sorted. */
  readonly plugins: readonly string[]
  /** The folder of `erl`. */
  readonly erlangBin: string
  readonly epmd: string
  /** Part of Erlang/OTP. It queries a running node in 5 ms; `rabbitmqctl` takes 300. */
  readonly erlCall: string
}

/** The installation that was found, or the names of the missing programs. */
export type MariadbSearch =
  | { readonly kind: 'found'; readonly installation: MariadbInstallation }
  | {
      readonly kind: 'missing'
      readonly programs: readonly string[]
      /** The server program when it exists; undefined when no MariaDB was found. */
      readonly home: string | undefined
    }

// Packages install the server and garbd in folders that are not on the search path of an ordinary user.
const systemFolders = ['/usr/sbin', '/usr/local/sbin', '/sbin']
const providerPaths = [
  '/usr/lib/galera/libgalera_smm.so',
  '/usr/lib64/galera-4/libgalera_smm.so',
  '/usr/lib/libgalera_smm.so',
]
const versionTimeoutMs = 10_000

/** Looks for the programs of MariaDB: on the search path, then where packages install them. */
export function findMariadb(environment: Environment, root: ServerRoot = thisMachine): MariadbSearch {
  const folders = [...searchPath(environment), '/usr/bin', ...systemFolders]
  const server = findProgram('mariadbd', folders, root)
  const client = findProgram('mariadb', folders, root)
  const installDb = findProgram('mariadb-install-db', folders, root)
  // rsync copies the data to a joiner of a Galera cluster.
  const rsync = findProgram('rsync', folders, root)
  if (server === undefined || client === undefined || installDb === undefined || rsync === undefined) {
    const all = { mariadbd: server, mariadb: client, 'mariadb-install-db': installDb, rsync }
    const programs = Object.entries(all).flatMap(([name, path]) => (path === undefined ? [name] : []))
    return { kind: 'missing', programs, home: server }
  }
  return {
    kind: 'found',
    installation: {
      version: mariadbVersion(server, root),
      server,
      client,
      installDb,
      provider: providerPaths.find((path) => resolveInRoot(root, path) !== undefined) ?? null,
      arbitrator: findProgram('garbd', folders, root) ?? null,
      path: [...new Set(folders)].join(':'),
    },
  }
}

// `mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)`
function mariadbVersion(server: string, root: ServerRoot): string {
  const [file = '', ...args] = argvInRoot(root, [], [server, '--no-defaults', '--version'])
  const { stdout } = spawnSync(file, args, {
    encoding: 'utf8',
    timeout: versionTimeoutMs,
  })
  return /Ver (\d+\.\d+\.\d+)/.exec(stdout ?? '')?.[1] ?? 'unknown'
}

/** Where the programs of MariaDB are on this machine; an input of the plan. */
export interface MariadbInstallation {
  readonly version: string
  /** `mariadbd`. */
  readonly server: string
  /** `mariadb`, the client program: it answers in 5 ms. */
  readonly client: string
  /** `mariadb-install-db`. */
  readonly installDb: string
  /** The library that makes a server a member of a Galera cluster; null when it is missing. */
  readonly provider: string | null
  /** `garbd`, a member without data; null when it is missing. */
  readonly arbitrator: string | null
  /**
   * The search path on which the server finds the scripts that copy data to a joiner, and the programs that those
   * need.
   */
  readonly path: string
}

/** Java and the jars that were found, or the names of what is missing. */
export type ZookeeperSearch =
  | { readonly kind: 'found'; readonly installation: ZookeeperInstallation }
  | {
      readonly kind: 'missing'
      readonly programs: readonly string[]
      /** The folder of the jars when they exist; undefined when no ZooKeeper was found. */
      readonly home: string | undefined
    }

/** The jars of one ZooKeeper installation. */
interface Jars {
  readonly folder: string
  readonly version: string
  readonly classPath: readonly string[]
}

// Debian keeps the jars of all packages in one folder. The manifest of ZooKeeper's jar names those that it needs,
// except the ones for logging.
const debianFolder = '/usr/share/java'
const debianLogging = ['slf4j-api.jar', 'slf4j-log4j12.jar', 'log4j-1.2.jar']

/** Looks for Java and ZooKeeper: an unpacked release in ZOOKEEPER_HOME, then the jars of Debian's package. */
export function findZookeeper(environment: Environment, root: ServerRoot = thisMachine): ZookeeperSearch {
  const java = findJava(environment, root)
  const jars = unpackedJars(environment['ZOOKEEPER_HOME'] ?? '', root) ?? debianJars(root)
  if (java === undefined || jars === undefined) {
    const programs = [
      ...(java === undefined ? ['java'] : []),
      ...(jars === undefined ? ['zookeeper.jar'] : []),
    ]
    return { kind: 'missing', programs, home: jars?.folder }
  }
  return { kind: 'found', installation: { version: jars.version, java, classPath: jars.classPath } }
}

function findJava(environment: Environment, root: ServerRoot): string | undefined {
  const home = environment['JAVA_HOME'] ?? ''
  const folders = [...(home === '' ? [] : [join(home, 'bin')]), ...searchPath(environment), '/usr/bin']
  return findProgram('java', folders, root)
}

function unpackedJars(home: string, root: ServerRoot): Jars | undefined {
  if (home === '') return undefined
  const folder = join(home, 'lib')
  const version = zookeeperVersion(root, folder)
  return version === undefined ? undefined : { folder, version, classPath: [`${folder}/*`] }
}

function debianJars(root: ServerRoot): Jars | undefined {
  const version = zookeeperVersion(root, debianFolder)
  if (version === undefined) return undefined
  const jars = ['zookeeper.jar', ...debianLogging].map((jar) => join(debianFolder, jar))
  return { folder: debianFolder, version, classPath: jars }
}

// The version is in the name of the jar: zookeeper-3.8.0.jar.
function zookeeperVersion(root: ServerRoot, folder: string): string | undefined {
  return listInRoot(root, folder)
    .map((name) => /^zookeeper-(\d+\.\d+\.\d+)[\w.+-]*\.jar$/.exec(name)?.[1])
    .find((version) => version !== undefined)
}

/** Where Java and the jars of ZooKeeper are on this machine; an input of the plan. */
export interface ZookeeperInstallation {
  readonly version: string
  /** The program `java`. */
  readonly java: string
  /** The class path for Java. An entry that ends in `*` includes every jar of that folder. */
  readonly classPath: readonly string[]
}
