import { localhostFix } from '../machine/host.ts'
import type { MariadbSearch, RabbitSearch, ZookeeperSearch } from '../machine/installations.ts'
import type { SandboxObstacle } from '../sandbox/sandbox.ts'
import {
  chooseInstall,
  type HostSystem,
  type MissingPrograms,
  type ServerPackages,
  serversOf,
} from './server-packages.ts'

/** The result of one check. */
export interface Finding {
  readonly about: string
  readonly level: 'ok' | 'warning' | 'error'
  readonly says: string
  /** The command that solves the problem, where there is one. */
  readonly fix?: string
}

/** The facts about the machine that matter to labs. */
export interface MachineFacts {
  readonly hasProc: boolean
  /** The address of `localhost`; empty when it does not resolve. */
  readonly localhost: string
  /** Null when labs of that kind were not asked for. */
  readonly rabbit: RabbitSearch | null
  readonly mariadb: MariadbSearch | null
  readonly zookeeper: ZookeeperSearch | null
  /** Why a sandbox is not possible; undefined when it is. */
  readonly sandboxRefusal: SandboxObstacle | undefined
  readonly host: HostSystem
  readonly availableMemoryMib: number | undefined
  /** The disk space that this user may fill where labs are kept; undefined where the system does not report it. */
  readonly freeDiskMib: number | undefined
  readonly home: string
  readonly homeIsWritable: boolean
  readonly labs: readonly LabFact[]
  /** The names of the folders that crashes left without a readable plan. */
  readonly leftovers: readonly string[]
}

/** A lab that `doctor` found. */
export interface LabFact {
  readonly name: string
  readonly isFailed: boolean
  readonly isSupervised: boolean
}

// Three idle nodes.
const recommendedMib = 600
// The data of three Galera nodes.
const recommendedDiskMib = 450

/** All findings about a machine, in the order in which a start of a lab would meet them. */
export function assessMachine(facts: MachineFacts): readonly Finding[] {
  return [
    platformFinding(facts),
    ...rabbitFindings(facts),
    ...mariadbFindings(facts),
    ...zookeeperFindings(facts),
    sandboxFinding(facts),
    localhostFinding(facts),
    memoryFinding(facts),
    ...diskFindings(facts),
    homeFinding(facts),
    ...facts.labs.map(labFinding),
    ...facts.leftovers.map(leftoverFinding),
  ]
}

function platformFinding({ hasProc }: MachineFacts): Finding {
  return hasProc
    ? {
        about: 'system',
        level: 'ok',
        says: 'Linux with /proc: processes are identified by pid and start time',
      }
    : { about: 'system', level: 'error', says: 'there is no /proc: labs need Linux' }
}

function rabbitFindings({ rabbit, host }: MachineFacts): readonly Finding[] {
  if (rabbit === null) return []
  if (rabbit.kind === 'missing') return [missingFinding(serversOf.rabbitmq, rabbit, host)]
  const { version, home } = rabbit.installation
  return [{ about: 'rabbitmq', level: 'ok', says: `RabbitMQ ${version} in ${home}` }]
}

function mariadbFindings({ mariadb, host }: MachineFacts): readonly Finding[] {
  if (mariadb === null) return []
  if (mariadb.kind === 'missing') return [missingFinding(serversOf.galera, mariadb, host)]
  const { version, server, provider, arbitrator } = mariadb.installation
  const about = 'mariadb'
  const says = `MariaDB ${version} in ${server}`
  const fix = 'apt-get install -y --no-install-recommends'
  if (provider === null) {
    return [{ about, level: 'warning', says: `${says}, without Galera`, fix: `${fix} galera-4` }]
  }
  return [{ about, level: 'ok', says: `${says}, with Galera${arbitrator === null ? '' : ' and garbd'}` }]
}

function zookeeperFindings({ zookeeper, host }: MachineFacts): readonly Finding[] {
  if (zookeeper === null) return []
  if (zookeeper.kind === 'missing') return [missingFinding(serversOf.zookeeper, zookeeper, host)]
  const { version, java } = zookeeper.installation
  return [{ about: 'zookeeper', level: 'ok', says: `ZooKeeper ${version}, with the Java in ${java}` }]
}

function missingFinding(servers: ServerPackages, search: MissingPrograms, host: HostSystem): Finding {
  const choice = chooseInstall(servers, search, host)
  const fix = choice.kind === 'ask' ? choice.command : 'hactl doctor --fix'
  return { about: servers.name, level: 'error', says: `not found: ${search.programs.join(', ')}`, fix }
}

function sandboxFinding({ sandboxRefusal }: MachineFacts): Finding {
  if (sandboxRefusal === undefined) {
    return { about: 'sandbox', level: 'ok', says: 'nodes can be partitioned in a sandbox: hactl sandbox' }
  }
  const { because, missing } = sandboxRefusal
  const finding: Finding = { about: 'sandbox', level: 'warning', says: `no partitions: ${because}` }
  return missing.length === 0 ? finding : { ...finding, fix: 'apt-get install -y iproute2 util-linux mount' }
}

function localhostFinding({ localhost, rabbit }: MachineFacts): Finding {
  if (localhost === '127.0.0.1') {
    return { about: 'localhost', level: 'ok', says: 'localhost is 127.0.0.1: nodes join by host name' }
  }
  const shown = localhost === '' ? 'does not resolve' : `is ${localhost}`
  return {
    about: 'localhost',
    level: rabbit === null ? 'warning' : 'error',
    says: `localhost ${shown}, but nodes of RabbitMQ join by host name`,
    fix: localhostFix,
  }
}

function memoryFinding({ availableMemoryMib: mib }: MachineFacts): Finding {
  if (mib === undefined)
    return { about: 'memory', level: 'warning', says: 'the kernel does not report the available memory' }
  const level = mib >= recommendedMib ? 'ok' : 'warning'
  return { about: 'memory', level, says: `${mib} MiB available; three idle nodes take ${recommendedMib}` }
}

function diskFindings({ freeDiskMib: mib, home }: MachineFacts): readonly Finding[] {
  if (mib === undefined || mib >= recommendedDiskMib) return []
  const says = `${mib} MiB free for ${home}; the data of three Galera nodes take ${recommendedDiskMib}`
  return [{ about: 'disk', level: 'warning', says }]
}

function homeFinding({ home, homeIsWritable }: MachineFacts): Finding {
  return homeIsWritable
    ? { about: 'labs', level: 'ok', says: `labs are kept in ${home}` }
    : { about: 'labs', level: 'error', says: `${home} cannot be written`, fix: 'export HACTL_HOME=~/labs' }
}

function labFinding(lab: LabFact): Finding {
  const about = `lab ${lab.name}`
  const fix = `hactl down --name ${lab.name}`
  if (lab.isFailed) return { about, level: 'warning', says: 'it failed to start; its logs are kept', fix }
  if (lab.isSupervised) return { about, level: 'ok', says: 'its supervisor runs' }
  const says = 'its supervisor was killed; the next hactl command starts it again and heals expired faults'
  return { about, level: 'warning', says, fix: `hactl status --name ${lab.name}` }
}

function leftoverFinding(name: string): Finding {
  const says = 'a crash left it without a readable plan'
  return { about: `lab ${name}`, level: 'warning', says, fix: `hactl down --name ${name}` }
}
