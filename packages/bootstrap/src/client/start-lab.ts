import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { isHaError, systemClock } from '@ha/core'
import { asError } from '@ha/core/driver'
import { detectHost } from '../doctor/doctor.ts'
import { type MissingPrograms, missingServers, serversOf } from '../doctor/server-packages.ts'
import { resolveGalera } from '../galera/model.ts'
import { planGalera } from '../galera/plan.ts'
import type { RecordedEvent } from '../lab/events.ts'
import { Journal, readEvents } from '../lab/journal.ts'
import { isHeld, readLabLock } from '../lab/lab-lock.ts'
import { applyEvent, hasLostNodes, initialLabState, isDown } from '../lab/state.ts'
import {
  availableMemoryMib,
  checkPlatform,
  currentUser,
  freeDiskMib,
  serverAccount,
} from '../machine/host.ts'
import { type Environment, findMariadb, findRabbit, findZookeeper } from '../machine/installations.ts'
import {
  createDraftFolder,
  createLabsHome,
  dataFolder,
  findPlan,
  homeLinkOf,
  journalPath,
  labFolder,
  labNames,
  labsFolder,
  labsHome,
  planPath,
  removeLabFolder,
  removeStaleDrafts,
  removeUnusedHomeLink,
  writeLabFiles,
} from '../machine/lab-folder.ts'
import { areClaimedByLab, claimPorts, isPortFree, type PortClaim } from '../machine/ports.ts'
import { hasLabProcesses } from '../machine/process-table.ts'
import {
  openServerRoot,
  planForRoot,
  readInRoot,
  rootSearchPath,
  type ServerRoot,
  thisMachine,
} from '../machine/server-root.ts'
import type { MariadbDeployment } from '../mariadb/deployment.ts'
import { type BootstrapCode, labError } from '../model/errors.ts'
import {
  checkReserved,
  type Network,
  portBlocks,
  portsOf,
  portsPerLab,
  type ReservedPorts,
} from '../model/network.ts'
import type { KindName, LabPlan } from '../model/plan.ts'
import type { LabTopology } from '../model/topology.ts'
import { checkDisk, checkMemory, checkName, checkWaitMs } from '../model/validation.ts'
import { resolveRabbit } from '../rabbitmq/model.ts'
import { planRabbit } from '../rabbitmq/plan.ts'
import { resolveReplication } from '../replication/model.ts'
import { planReplication } from '../replication/plan.ts'
import { findNetwork } from '../sandbox/sandbox.ts'
import { planForNetwork } from '../sandbox/sandbox-plan.ts'
import { resolveZookeeper } from '../zookeeper/model.ts'
import { planZookeeper } from '../zookeeper/plan.ts'
import { Lab } from './lab.ts'

/** Where and how a lab is started. */
export interface StartOptions {
  /** Default: the kind of the topology. */
  readonly name?: string
  /** The folder of all labs; absolute. Default: HACTL_HOME, else `hactl` in the user's state folder. */
  readonly home?: string
  /**
   * The root folder of another system, whose servers the lab runs; absolute. Default: HACTL_ROOT, else this machine.
   */
  readonly root?: string
  /** Called with every event, from the first one on. */
  readonly onEvent?: (event: RecordedEvent) => void
  /** Ends what has been started when it is aborted before the lab is up. */
  readonly signal?: AbortSignal
  /** The limit of the whole start in milliseconds. Default 180 000. */
  readonly timeoutMs?: number
}

const defaultStartMs = 180_000
const pollMs = 20
// A supervisor takes half a second after the end of its lab to send its last replies.
const shutdownTimeoutMs = 3_000

/** Starts a real cluster and resolves when all its members agree. When that fails, nothing is left running. */
export async function startLab(topology: LabTopology, options: StartOptions = {}): Promise<Lab> {
  options.signal?.throwIfAborted()
  const home = labsHome(options.home)
  const name = checkName(options.name ?? topology.kind, 'lab')
  const timeoutMs = checkWaitMs(options.timeoutMs, 'startLab.timeoutMs', defaultStartMs)
  try {
    return await startAt({ home, name }, topology, { ...options, timeoutMs })
  } catch (thrown) {
    // A start that failed before there was a lab has created a link that no lab needs.
    removeUnusedHomeLink(home)
    throw asError(thrown)
  }
}

async function startAt(
  { home, name }: { readonly home: string; readonly name: string },
  topology: LabTopology,
  options: StartOptions & { readonly timeoutMs: number },
): Promise<Lab> {
  createLabsHome(options.home)
  removeStaleDrafts(labsFolder(home))
  const existing = await bringBackLab(topology, labFolder(home, name), options)
  if (existing !== undefined) return existing
  await removeEndedLab(home, name)
  const place = { lab: name, home, root: openServerRoot(options.root) }
  const { plan, claim } = await planLab(topology, place)
  try {
    options.signal?.throwIfAborted()
    // The end of another lab may have removed the link meanwhile.
    createLabsHome(options.home)
    createLabFolder(plan)
    return await formLab(new Lab(plan.folder, plan), options)
  } finally {
    // From here on the supervisor of the lab holds the ports.
    claim.release()
  }
}

// A lab that is down, or a part of it, keeps its data: it comes back as it was, and not as another topology.
async function bringBackLab(
  topology: LabTopology,
  folder: string,
  { timeoutMs, signal, onEvent }: StartOptions & { readonly timeoutMs: number },
): Promise<Lab | undefined> {
  const plan = findPlan(folder)
  if (plan === undefined) return undefined
  const lab = new Lab(folder, plan)
  const limit = { signal, onEvent }
  if (readEvents(journalPath(folder)).reduce(applyEvent, initialLabState).phase.kind !== 'formed')
    return undefined
  // The supervisor that is started for this question records which processes have ended.
  await lab.status(limit)
  const state = readEvents(journalPath(folder)).reduce(applyEvent, initialLabState)
  if (!isDown(plan, state) && !hasLostNodes(plan, state)) return undefined
  const objection = differenceFrom(plan, topology)
  if (objection !== undefined) {
    throw labError(
      'lab-exists',
      `the lab '${plan.lab}' is down and ${objection}; omit the option to bring it back with its data, or run: hactl down --name ${plan.lab}`,
    )
  }
  try {
    await lab.bringBack({ timeoutMs, ...limit })
  } catch (thrown) {
    if (signal?.aborted !== true) throw asError(thrown)
    // Unlike a new lab, one with data is not removed by an interrupt.
    throw labError('aborted', `interrupted; ${plan.lab} may still be coming back; see: hactl status`, {
      cause: thrown,
    })
  }
  return lab
}

function differenceFrom(plan: LabPlan, { kind, nodes, basePort }: LabTopology): string | undefined {
  if (plan.kind !== kind) return `is a ${plan.kind} lab`
  const servers = plan.nodes.filter(({ ctl }) => ctl !== null).map(({ name }) => name)
  const isSame =
    typeof nodes === 'object' ? nodes.join() === servers.join() : (nodes ?? servers.length) === servers.length
  if (!isSame) return `has the nodes ${servers.join(', ')}`
  const ports = portsOf(plan)
  const isOnPort = basePort === undefined || Math.min(...ports) === basePort
  return isOnPort ? undefined : `has the ports from ${Math.min(...ports)} on`
}

async function formLab(lab: Lab, options: StartOptions & { readonly timeoutMs: number }): Promise<Lab> {
  try {
    await lab.formed(options)
    return lab
  } catch (thrown) {
    // A lab that failed has ended its processes; its folder remains for its logs.
    if (!lab.hasFailed) await endFailedStart(lab, asError(thrown))
    throw asError(thrown)
  }
}

// Neither the deadline nor the signal of the start limits its undoing.
async function endFailedStart(lab: Lab, because: Error): Promise<void> {
  try {
    await lab.down()
  } catch (cause) {
    const code = isHaError(because) ? (because.code as BootstrapCode) : 'internal'
    throw labError(
      code,
      `${because.message}; the lab could not be ended either: ${asError(cause).message}; ` +
        `run: hactl down --name ${lab.name}`,
      { cause: because },
    )
  }
}

// The folder is filled under another name and renamed in one step, so that a lab exists with all its files or not at
// all.
function createLabFolder(plan: LabPlan): void {
  const draft = createDraftFolder(plan.folder)
  try {
    writeLabFiles({ folder: draft, files: plan.files })
    writeFileSync(planPath(draft), `${JSON.stringify(plan, null, 2)}\n`, { mode: 0o600 })
    const { kind, version, notes } = plan
    new Journal(journalPath(draft)).record({ type: 'planned', kind, version, notes })
    moveIntoPlace(draft, plan)
  } catch (thrown) {
    rmSync(draft, { recursive: true, force: true })
    throw asError(thrown)
  }
}

function moveIntoPlace(draft: string, plan: LabPlan): void {
  try {
    renameSync(draft, plan.folder)
  } catch (cause) {
    throw labExists(plan.lab, cause)
  }
}

// A lab that failed, or has no readable plan, consists of files only; the next start replaces it.
async function removeEndedLab(home: string, name: string): Promise<void> {
  const folder = labFolder(home, name)
  if (!existsSync(folder)) return
  const { phase } = readEvents(journalPath(folder)).reduce(applyEvent, initialLabState)
  const isOver = phase.kind === 'failed' || phase.kind === 'ended' || findPlan(folder) === undefined
  if (!isOver || !(await isUnused(folder))) throw labExists(name)
  removeLabFolder(folder)
}

/**
 * Waits until the supervisor of an ended lab has exited; false when it stays, or when another process of the lab runs.
 */
export async function isUnused(folder: string): Promise<boolean> {
  const giveUpAt = systemClock.now() + shutdownTimeoutMs
  while (isHeld(readLabLock(folder))) {
    if (systemClock.now() > giveUpAt) return false
    await systemClock.sleep(pollMs)
  }
  return !hasLabProcesses(folder)
}

function labExists(name: string, cause?: unknown): Error {
  return labError(
    'lab-exists',
    `the lab '${name}' already exists; run: hactl status, then hactl down --name ${name}, or choose another --name`,
    { cause },
  )
}

/** The name of a lab, the folder of all labs, and the root of its servers. */
interface LabPlace {
  readonly lab: string
  readonly home: string
  readonly root: ServerRoot
}

/** A plan, and the claim on its ports until the lab has formed. */
interface ClaimedPlan {
  readonly plan: LabPlan
  readonly claim: PortClaim
}

// The choice of ports and the start of the servers are one step: no other start can choose the same ports meanwhile.
async function planLab(topology: LabTopology, place: LabPlace): Promise<ClaimedPlan> {
  await checkPlatform(topology.kind)
  const reserved = reservedPorts(place.home)
  const { firstPort, claim } = await claimBlock(topology.basePort, labFolder(place.home, place.lab), reserved)
  try {
    return { plan: planOn(firstPort, topology, place, reserved), claim }
  } catch (thrown) {
    claim.release()
    throw thrown
  }
}

/** Plans a lab for this machine: finds the programs, and checks the ports and the memory. */
function planOn(
  firstPort: number,
  topology: LabTopology,
  { lab, home, root }: LabPlace,
  reserved: ReservedPorts,
): LabPlan {
  const folder = labFolder(home, lab)
  const network = findNetwork(process.env)
  const cluster = planCluster(topology, { lab, folder, firstPort, network, root })
  const plan = planForNetwork(planForRoot(cluster, root, foldersOf(cluster, network)), network)
  checkReserved(portsOf(plan), reserved)
  checkApostrophe(plan, homeLinkOf(folder)?.target ?? '')
  checkMemory(availableMemoryMib(), plan.nodes.length, plan.kind)
  for (const data of dataFolders(plan)) {
    checkDisk({ folder: data, mib: freeDiskMib(data) }, plan.nodes.length, plan.kind)
  }
  return plan
}

// MariaDB follows links, and puts the path between apostrophes into the command that copies data to a joiner.
function checkApostrophe({ kind, folder, nodes, processes }: LabPlan, home: string): void {
  const isBelow = processes.some((process) => process.folder.startsWith(folder))
  if (kind !== 'galera' || nodes.length === 1 || !isBelow || !home.includes("'")) return
  throw labError(
    'config-invalid',
    `Galera cannot copy data between nodes below '${home}', because of the apostrophe in the path; ` +
      'set HACTL_HOME to another folder',
  )
}

function dataFolders(plan: LabPlan): readonly string[] {
  return [...new Set(plan.processes.map(({ folder }) => folder))]
}

// What the programs of a lab read and write, beside the system that they are installed in.
function foldersOf(plan: LabPlan, network: Network): readonly string[] {
  const elsewhere = plan.processes.map(({ folder }) => folder).filter((folder) => folder !== plan.folder)
  return [
    plan.folder,
    ...new Set(elsewhere.map((folder) => dirname(folder))),
    ...(network.kind === 'sandbox' ? [network.folder] : []),
  ]
}

interface Deployment extends Pick<MariadbDeployment, 'lab' | 'folder' | 'firstPort' | 'network'> {
  readonly root: ServerRoot
}

function planCluster(topology: LabTopology, deployment: Deployment): LabPlan {
  switch (topology.kind) {
    case 'rabbitmq': {
      const search = installed(topology.kind, findRabbit, deployment.root)
      return planRabbit(resolveRabbit(topology, { ...deployment, installation: search }))
    }
    case 'galera':
      return planGalera(resolveGalera(topology, mariadbDeployment(topology.kind, deployment)))
    case 'replication':
      return planReplication(resolveReplication(topology, mariadbDeployment(topology.kind, deployment)))
    case 'zookeeper': {
      const search = installed(topology.kind, findZookeeper, deployment.root)
      return planZookeeper(resolveZookeeper(topology, { ...deployment, installation: search }))
    }
  }
}

type Search<T> = MissingPrograms | { readonly kind: 'found'; readonly installation: T }

// The programs for one kind of lab, in the root of its servers.
function installed<T>(
  kind: KindName,
  find: (environment: Environment, root: ServerRoot) => Search<T>,
  root: ServerRoot,
): T {
  const environment = root === thisMachine ? process.env : { PATH: rootSearchPath }
  const search = find(environment, root)
  if (search.kind === 'found') return search.installation
  throw missingServers(serversOf[kind], search, detectHost(root))
}

function mariadbDeployment(kind: 'galera' | 'replication', deployment: Deployment): MariadbDeployment {
  return {
    ...deployment,
    dataFolder: dataFolder(deployment.folder, process.getuid?.() ?? 0),
    installation: installed(kind, findMariadb, deployment.root),
    runAs: serverAccount(readInRoot(deployment.root, '/etc/passwd')),
    administrator: currentUser(),
  }
}

// Includes the ports of nodes that are down: they need them when they start again.
function reservedPorts(home: string): ReservedPorts {
  return new Map(
    labNames(home).flatMap((lab) => {
      const plan = findPlan(labFolder(home, lab))
      return plan === undefined ? [] : portsOf(plan).map((port) => [port, lab] as const)
    }),
  )
}

interface ClaimedBlock {
  readonly firstPort: number
  readonly claim: PortClaim
}

async function claimBlock(
  given: number | undefined,
  folder: string,
  reserved: ReservedPorts,
): Promise<ClaimedBlock> {
  for (const firstPort of given === undefined ? portBlocks(folder) : [given]) {
    const ports = Array.from({ length: portsPerLab }, (_, i) => firstPort + i)
    // A given port is checked later: only the plan knows how many ports the lab needs.
    if (given === undefined && ports.some((port) => reserved.has(port))) continue
    const claim = await claimPorts('start', ports)
    if (claim === undefined) continue
    if (given !== undefined || (await isUnclaimed(ports))) return { firstPort, claim }
    claim.release()
  }
  throw given === undefined
    ? labError(
        'port-taken',
        `no block of ${portsPerLab} free ports between 21000 and 29000; choose one with --base-port`,
      )
    : labError(
        'port-taken',
        `another lab is being started on ports from ${given} on; choose others with --base-port, or omit it`,
      )
}

async function isUnclaimed(ports: readonly number[]): Promise<boolean> {
  if (await areClaimedByLab(ports)) return false
  return (await Promise.all(ports.map(isPortFree))).every((free) => free)
}
