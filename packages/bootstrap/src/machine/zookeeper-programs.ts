import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ZookeeperInstallation } from '../zookeeper/installation.ts'
import { type Environment, findProgram, searchPath } from './search-path.ts'

/** Java and the jars that were found, or the names of what was not. */
export type ZookeeperSearch =
  | { readonly kind: 'found'; readonly installation: ZookeeperInstallation }
  | {
      readonly kind: 'missing'
      readonly programs: readonly string[]
      /** The folder of the jars, when those are there; undefined: no ZooKeeper was found at all. */
      readonly home: string | undefined
    }

/** The jars of one ZooKeeper. */
interface Jars {
  readonly folder: string
  readonly version: string
  readonly classPath: readonly string[]
}

// Where Debian keeps the jars of all packages. The jar of ZooKeeper names those that it needs in its manifest, but for
// the ones that write its log.
const debianFolder = '/usr/share/java'
const debianLogging = ['slf4j-api.jar', 'slf4j-log4j12.jar', 'log4j-1.2.jar']

/** Looks for Java and ZooKeeper: ZOOKEEPER_HOME first, an unpacked release, then where Debian's package puts the jars. */
export function findZookeeper(environment: Environment): ZookeeperSearch {
  const java = findJava(environment)
  const jars = unpackedJars(environment['ZOOKEEPER_HOME'] ?? '') ?? debianJars()
  if (java === undefined || jars === undefined) {
    const programs = [
      ...(java === undefined ? ['java'] : []),
      ...(jars === undefined ? ['zookeeper.jar'] : []),
    ]
    return { kind: 'missing', programs, home: jars?.folder }
  }
  return { kind: 'found', installation: { version: jars.version, java, classPath: jars.classPath } }
}

function findJava(environment: Environment): string | undefined {
  const home = environment['JAVA_HOME'] ?? ''
  const folders = [...(home === '' ? [] : [join(home, 'bin')]), ...searchPath(environment), '/usr/bin']
  return findProgram('java', folders)
}

function unpackedJars(home: string): Jars | undefined {
  if (home === '') return undefined
  const folder = join(home, 'lib')
  const version = zookeeperVersion(folder)
  return version === undefined ? undefined : { folder, version, classPath: [`${folder}/*`] }
}

function debianJars(): Jars | undefined {
  const version = zookeeperVersion(debianFolder)
  if (version === undefined) return undefined
  const jars = ['zookeeper.jar', ...debianLogging].map((jar) => join(debianFolder, jar))
  return { folder: debianFolder, version, classPath: jars }
}

// The jar carries the version: zookeeper-3.8.0.jar.
function zookeeperVersion(folder: string): string | undefined {
  if (!existsSync(folder)) return undefined
  return readdirSync(folder)
    .map((name) => /^zookeeper-(\d+\.\d+\.\d+)[\w.+-]*\.jar$/.exec(name)?.[1])
    .find((version) => version !== undefined)
}
