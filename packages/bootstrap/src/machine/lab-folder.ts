import { createHash, randomBytes, randomInt } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { labError } from '../model/errors.ts'
import type { Plan, PlannedFile } from '../model/plan.ts'
import { isName } from '../model/validation.ts'
import { endMarked, identify } from './process-table.ts'

/** The kernel takes 107 bytes of a socket path and no more. */
const longestSocketPath = 107

/** The folder that holds all labs: `given`, else HACTL_HOME, else where the user's programs keep their state. */
export function labsHome(given: string | undefined, environment: NodeJS.ProcessEnv = process.env): string {
  if (given !== undefined) return requireAbsolute('home', given)
  const own = environment['HACTL_HOME'] ?? ''
  if (own !== '') return requireAbsolute('HACTL_HOME', own)
  const state = environment['XDG_STATE_HOME'] ?? ''
  // An empty variable is one that is not set, as the XDG specification has it.
  return join(
    state === '' ? join(homedir(), '.local', 'state') : requireAbsolute('XDG_STATE_HOME', state),
    'hactl',
  )
}

/** The folder that holds the folders of the labs. */
export function labsFolder(home: string): string {
  return join(home, 'labs')
}

/** The folder of one lab. */
export function labFolder(home: string, lab: string): string {
  return join(labsFolder(home), lab)
}

/** The names of the labs that have a plan, sorted. */
export function labNames(home: string): readonly string[] {
  return folderNames(home).filter((lab) => findPlan(labFolder(home, lab)) !== undefined)
}

/** The names of the folders in which a crash left something that is no lab: none has a plan that can be read. */
export function leftoverNames(home: string): readonly string[] {
  return folderNames(home).filter((lab) => findPlan(labFolder(home, lab)) === undefined)
}

/** Where a lab keeps its plan. */
export function planPath(folder: string): string {
  return join(folder, 'plan.json')
}

/** Where a lab keeps its journal. */
export function journalPath(folder: string): string {
  return join(folder, 'events.jsonl')
}

/** The plan of a lab; undefined when there is none that can be read. */
export function findPlan(folder: string): Plan | undefined {
  try {
    const plan = JSON.parse(readFileSync(planPath(folder), 'utf8'))
    return plan?.schema === 'ha-plan/v1' ? plan : undefined
  } catch {
    // Not there, or cut short: either way nobody can act on it.
    return undefined
  }
}

/** Where the supervisor listens: in the lab's folder, or under a short name of its own when that path is too long. */
export function socketPath(folder: string, uid: number): string {
  const path = join(folder, 'control.sock')
  if (Buffer.byteLength(path) <= longestSocketPath) return path
  const digest = createHash('sha256').update(folder).digest('hex').slice(0, 16)
  return join(shortSocketFolder(uid), `${digest}.sock`)
}

/** The folder of the short socket names; only its user may look inside. */
export function shortSocketFolder(uid: number): string {
  return `/tmp/hactl-${uid}`
}

/** The last lines of a log, without its empty ones. */
export function logTail(path: string, lines: number): readonly string[] {
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-lines)
}

// A relative path would put labs wherever the user happens to be, and the next command would not find them.
function requireAbsolute(what: string, path: string): string {
  if (!isAbsolute(path)) throw labError('config-invalid', `${what}: expected an absolute path, got '${path}'`)
  return resolve(path)
}

// What is being made or removed has a name that no lab can have.
function folderNames(home: string): readonly string[] {
  const folder = labsFolder(home)
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && isName(entry.name))
    .map((entry) => entry.name)
    .sort()
}

/** Writes what the plan asks for. A secret is drawn here and exists nowhere else. */
export function writeLabFiles(plan: Pick<Plan, 'folder' | 'files'>): void {
  for (const file of plan.files) {
    const path = join(plan.folder, file.path)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeLabFile(path, file)
  }
}

/** Refuses to go on when a secret file is open to others or is not there: the server would, too, less clearly. */
export function checkSecrets(plan: Pick<Plan, 'folder' | 'files'>): void {
  for (const file of plan.files.filter((planned) => planned.secret)) {
    const path = join(plan.folder, file.path)
    if (!existsSync(path)) throw labError('secret-mode', `${path} is gone; type: hactl down, and start again`)
    const mode = statSync(path).mode & 0o777
    if ((mode & 0o077) !== 0) {
      const shown = mode.toString(8).padStart(4, '0')
      throw labError(
        'secret-mode',
        `${path} has mode ${shown}, so others can read the secret; type: chmod 0400 ${path}`,
      )
    }
  }
}

function writeLabFile(path: string, file: PlannedFile): void {
  switch (file.content.kind) {
    case 'link':
      symlinkSync(file.content.target, path)
      return
    case 'text':
      writeFileSync(path, file.content.text, { mode: file.mode })
      chmodSync(path, file.mode)
      return
    case 'random':
      writeFileSync(path, randomLetters(file.content.length), { mode: file.mode })
      chmodSync(path, file.mode)
  }
}

function randomLetters(length: number): string {
  return Array.from({ length }, () => String.fromCharCode(65 + randomInt(26))).join('')
}

// Where the system keeps what services write.
const rootDataFolder = '/var/lib/hactl'
// A node's name has up to 31 letters.
const longestSocketName = '/data/'.length + 31 + '.sock'.length

/**
 * Where servers of a lab that run as another user keep their data: beside all users' homes when root starts the lab,
 * since nobody else may pass those; in the lab's folder otherwise, or under a short name when their sockets would not
 * fit there.
 */
export function dataFolder(folder: string, uid: number): string {
  const digest = createHash('sha256').update(folder).digest('hex').slice(0, 16)
  if (uid === 0) return join(rootDataFolder, digest)
  if (Buffer.byteLength(folder) + longestSocketName <= longestSocketPath) return join(folder, 'data')
  return join(shortSocketFolder(uid), digest)
}

/** Removes the data of the lab in this folder, wherever they are. */
function removeData(folder: string, uid: number = process.getuid?.() ?? 0): void {
  rmSync(dataFolder(folder, uid), { recursive: true, force: true, maxRetries: 5 })
  if (uid === 0 && existsSync(rootDataFolder) && readdirSync(rootDataFolder).length === 0)
    rmdirSync(rootDataFolder)
}

/**
 * Makes a folder for sockets in a place where everybody may write. One that is there already must be a folder of this
 * user that nobody else can look into: behind a link, or in another user's folder, somebody else could answer.
 */
export function prepareSocketFolder(path: string, uid: number): void {
  if (!existsSync(path)) mkdirSync(path, { mode: 0o700 })
  const objection = unsafeReason(lstatSync(path), uid)
  if (objection !== undefined) throw labError('supervisor-lost', `${path} ${objection}; type: rm -r ${path}`)
}

function unsafeReason(stat: Stats, uid: number): string | undefined {
  if (!stat.isDirectory()) return 'is no folder'
  if (stat.uid !== uid) return 'belongs to another user'
  return (stat.mode & 0o077) === 0 ? undefined : 'is open to others'
}

// A lab is made and removed beside its place, under a name that no lab can have: .rabbitmq.4711.a1b2c3
const draftName = /^\.[a-z0-9-]+\.(\d+)\.\w+$/

/** Makes an empty folder beside `folder`, in which a lab takes shape before it is moved to its place. */
export function createDraftFolder(folder: string): string {
  return mkdtempSync(draftStem(folder))
}

/**
 * Removes a lab's folder. It is moved aside in one step first: a crash in the middle leaves nothing that looks like
 * a lab and is none.
 */
export function removeLabFolder(folder: string): void {
  // Data that are elsewhere go first: what is left is still a lab, and is asked to end again.
  removeData(folder)
  if (!existsSync(folder)) return
  const aside = `${draftStem(folder)}${randomBytes(3).toString('hex')}`
  renameSync(folder, aside)
  rmSync(aside, { recursive: true, force: true, maxRetries: 5 })
}

/** Ends whatever runs of a lab that nobody looks after, recorded or not, and removes its folder. */
export async function endAndRemoveLab(folder: string): Promise<void> {
  await endMarked(folder)
  removeLabFolder(folder)
}

/** Removes what processes that have died since left half made or half removed in a folder of labs. */
export function removeStaleDrafts(labs: string): void {
  if (!existsSync(labs)) return
  for (const name of readdirSync(labs)) {
    const pid = draftName.exec(name)?.[1]
    if (pid === undefined || identify(Number(pid)) !== undefined) continue
    rmSync(join(labs, name), { recursive: true, force: true })
  }
}

function draftStem(folder: string): string {
  return join(dirname(folder), `.${basename(folder)}.${process.pid}.`)
}
