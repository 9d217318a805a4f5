import { accessSync, constants, existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { readEvents } from '../lab/journal.ts'
import { isHeld, readLabLock } from '../lab/lab-lock.ts'
import { applyEvent, initialLabState } from '../lab/state.ts'
import { availableMemoryMib, freeDiskMib, hasProc, resolveLocalhost } from '../machine/host.ts'
import { findMariadb, findRabbit, findZookeeper } from '../machine/installations.ts'
import {
  journalPath,
  labFolder,
  labNames,
  labsHome,
  leftoverNames,
  namedHome,
} from '../machine/lab-folder.ts'
import {
  openServerRoot,
  readInRoot,
  rootSearchPath,
  type ServerRoot,
  thisMachine,
} from '../machine/server-root.ts'
import { type KindName, kindNames } from '../model/plan.ts'
import { findSandboxObstacle } from '../sandbox/sandbox.ts'
import { assessMachine, type Finding, type LabFact, type MachineFacts } from './findings.ts'
import { type HostSystem, serversFor, serversOf } from './server-packages.ts'

/** What `doctor` examines. */
export interface DoctorOptions {
  /** The folder of all labs; absolute. Default: HACTL_HOME, else `hactl` in the user's state folder. */
  readonly home?: string
  /** The kinds of lab whose servers are looked for. Default: all. */
  readonly kinds?: readonly KindName[]
  /**
   * The root folder of another system, in which the servers are looked for; absolute. Default: HACTL_ROOT, else this
   * machine.
   */
  readonly root?: string
}

/** Examines this machine for everything that would prevent a lab. It changes nothing. */
export async function doctor(options: DoctorOptions = {}): Promise<readonly Finding[]> {
  const root = openServerRoot(options.root)
  return assessMachine(await inspectMachine(options.home, options.kinds ?? kindNames, root))
}

/** The operating system, and whether this user may install packages on it. */
export function detectHost(root: ServerRoot = thisMachine): HostSystem {
  const osRelease = readInRoot(root, '/etc/os-release')
  const words = [...osRelease.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].map((match) => match[1] ?? '')
  return { families: words.join(' ').split(/\s+/), isRoot: process.getuid?.() === 0, root }
}

async function inspectMachine(
  givenHome: string | undefined,
  kinds: readonly KindName[],
  root: ServerRoot,
): Promise<MachineFacts> {
  const [shownHome, home] = [namedHome(givenHome), labsHome(givenHome)]
  const wanted = serversFor(kinds)
  const environment = root === thisMachine ? process.env : { PATH: rootSearchPath }
  return {
    hasProc: hasProc(),
    localhost: await resolveLocalhost(),
    rabbit: wanted.includes(serversOf.rabbitmq) ? findRabbit(environment, root) : null,
    mariadb: wanted.includes(serversOf.galera) ? findMariadb(environment, root) : null,
    zookeeper: wanted.includes(serversOf.zookeeper) ? findZookeeper(environment, root) : null,
    sandboxRefusal: await findSandboxObstacle(),
    host: detectHost(root),
    availableMemoryMib: hasProc() ? availableMemoryMib() : undefined,
    freeDiskMib: freeDiskMib(shownHome),
    home: shownHome,
    homeIsWritable: isWritable(shownHome),
    labs: labNames(home).map((name) => inspectLab(home, name)),
    leftovers: leftoverNames(home),
  }
}

// The folder need not exist yet: then its nearest ancestor decides.
function isWritable(folder: string): boolean {
  if (!existsSync(folder)) return isWritable(dirname(folder))
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    // The folder is not writable.
    return false
  }
}

function hasFailed(folder: string): boolean {
  try {
    return readEvents(journalPath(folder)).reduce(applyEvent, initialLabState).phase.kind === 'failed'
  } catch {
    // No command can use a lab whose journal cannot be read, and the other findings matter too.
    return true
  }
}

function inspectLab(home: string, name: string): LabFact {
  const folder = labFolder(home, name)
  return { name, isFailed: hasFailed(folder), isSupervised: isHeld(readLabLock(folder)) }
}
