import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { asError } from '@ha/core'
import { missingServers } from '../doctor/install-command.ts'
import type { Recorded } from '../lab/events.ts'
import { fold, unbornLab } from '../lab/state.ts'
import { writeLabFiles } from '../machine/lab-files.ts'
import { journalPath, labFolder, labNames, labsHome, planPath, readPlan } from '../machine/lab-folder.ts'
import { availableMemoryMib } from '../machine/memory.ts'
import { checkPlatform } from '../machine/platform.ts'
import { isFree } from '../machine/ports.ts'
import { findRabbit } from '../machine/rabbit-programs.ts'
import { labError } from '../model/codes.ts'
import { checkMemory } from '../model/memory.ts'
import { checkName } from '../model/names.ts'
import type { Plan } from '../model/plan.ts'
import { portBlocks, portsOf, portsPerLab } from '../model/ports.ts'
import type { Topology } from '../model/topology.ts'
import { resolveRabbit } from '../rabbitmq/model.ts'
import { planRabbit } from '../rabbitmq/plan.ts'
import { Book, readEvents } from '../supervisor/book.ts'
import { Lab } from './lab.ts'

/** Where and how a lab is started. */
export interface StartOptions {
  /** Default: the kind of the topology. */
  readonly name?: string
  /** The folder of all labs. Default: HACTL_HOME, else `hactl` in the user's state folder. */
  readonly home?: string
  /** Hears every event from the first one on. */
  readonly onEvent?: (event: Recorded) => void
  /** Ends what was started when it fires before the lab is up. */
  readonly signal?: AbortSignal
  /** The whole time allowed. Default 180 000. */
  readonly timeoutMs?: number
}

const defaultStartMs = 180_000

/** Starts a real cluster and resolves when all its members agree. When that fails, nothing is left running. */
export async function startLab(topology: Topology, options: StartOptions = {}): Promise<Lab> {
  options.signal?.throwIfAborted()
  const home = labsHome(options.home)
  const name = checkName(options.name ?? topology.kind, 'lab')
  clearFailed(home, name)
  const plan = await planLab(topology, name, home)
  createFolder(plan)
  const lab = new Lab(plan.folder)
  try {
    await lab.formed({ ...options, timeoutMs: options.timeoutMs ?? defaultStartMs })
    return lab
  } catch (thrown) {
    // A lab that failed has ended its processes; its folder stays, for its logs.
    // Should ending it fail, too, the first error tells more, and `hactl doctor` finds the lab.
    if (!lab.hasFailed) await lab.down().catch(() => undefined)
    throw asError(thrown)
  }
}

async function planLab(topology: Topology, lab: string, home: string): Promise<Plan> {
  await checkPlatform()
  const search = findRabbit(process.env)
  if (search.kind === 'missing') throw missingServers(search.programs)
  const folder = labFolder(home, lab)
  const firstPort = topology.basePort ?? (await freeBlock(folder, home))
  const plan = planRabbit(
    resolveRabbit(topology, { lab, folder, firstPort, installation: search.installation }),
  )
  checkMemory(availableMemoryMib(), plan.nodes.length)
  return plan
}

async function freeBlock(folder: string, home: string): Promise<number> {
  const reserved = new Set(labNames(home).flatMap((lab) => portsOf(readPlan(labFolder(home, lab)))))
  for (const first of portBlocks(folder)) {
    const ports = Array.from({ length: portsPerLab }, (_, i) => first + i)
    if (ports.some((port) => reserved.has(port))) continue
    if ((await Promise.all(ports.map(isFree))).every((free) => free)) return first
  }
  throw labError(
    'port-taken',
    'no block of 16 free ports between 21000 and 29000; choose one with --base-port',
  )
}

// Made beside its place and moved there in one step: a lab is there with all its files or not at all.
function createFolder(plan: Plan): void {
  mkdirSync(dirname(plan.folder), { recursive: true, mode: 0o700 })
  const draft = mkdtempSync(join(dirname(plan.folder), `.${plan.lab}.`))
  writeLabFiles({ folder: draft, files: plan.files })
  writeFileSync(planPath(draft), `${JSON.stringify(plan, null, 2)}\n`, { mode: 0o600 })
  const { kind, version, notes } = plan
  new Book(journalPath(draft)).record({ type: 'planned', kind, version, notes })
  try {
    renameSync(draft, plan.folder)
  } catch (cause) {
    rmSync(draft, { recursive: true, force: true })
    throw alreadyThere(plan.lab, cause)
  }
}

// A lab that did not come up has left nothing but its logs: the next start takes its place.
function clearFailed(home: string, name: string): void {
  const folder = labFolder(home, name)
  if (!existsSync(folder)) return
  const { phase } = readEvents(journalPath(folder)).reduce(fold, unbornLab)
  if (phase.kind !== 'failed') throw alreadyThere(name)
  rmSync(folder, { recursive: true, force: true })
}

function alreadyThere(name: string, cause?: unknown): Error {
  return labError(
    'lab-exists',
    `there is a lab called '${name}' already; type: hactl status, then hactl down --name ${name}, or give another --name`,
    { cause },
  )
}
