import { createHash, randomBytes, randomInt } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  type Dirent,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
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
import { asError } from '@ha/core/driver'
import { labError } from '../model/errors.ts'
import type { LabPlan, PlannedFile } from '../model/plan.ts'
import { isName } from '../model/validation.ts'
import { endLabProcesses, identify } from './process-table.ts'

/** The longest socket path that the kernel accepts, in bytes. */
const longestSocketPath = 107

/**
 * The folder that contains all labs: `given`, else HACTL_HOME, else the state folder of the user's programs. Servers get
 * paths in shells, Java properties and URLs, where letters, blanks and signs of a path have other meanings: a path with
 * such characters is returned as that of a symbolic link to it, which exists while the folder contains labs.
 */
export function labsHome(given: string | undefined, environment: NodeJS.ProcessEnv = process.env): string {
  const home = namedHome(given, environment)
  const link = safePath(home)
  if (link !== home && isHomeInUse(home)) restoreHomeLink({ link, target: home })
  return link
}

/** Creates the folder of all labs, and the link to it where it has one; rejects one that cannot be written. */
export function createLabsHome(
  given: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): string {
  const home = namedHome(given, environment)
  const link = safePath(home)
  try {
    createFolders(labsFolder(home))
    accessSync(labsFolder(home), constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw unusableHome(`labs cannot be kept in '${home}'`, cause)
  }
  if (link !== home) restoreHomeLink({ link, target: home })
  return link
}

function unusableHome(what: string, cause: unknown): Error {
  const reason = (cause as NodeJS.ErrnoException).code ?? asError(cause).message
  const text = `${what}: ${folderObjections[reason] ?? reason}`
  return labError('config-invalid', `${text}; set HACTL_HOME to a folder that this user can write`, { cause })
}

// `recursive` of Node.js tries for ever below a folder such as /proc, which refuses new folders as missing ones.
function createFolders(path: string): void {
  if (existsSync(path)) return
  if (dirname(path) !== path) createFolders(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (thrown) {
    // Another command has created the same folder meanwhile.
    if (!existsSync(path)) throw asError(thrown)
  }
}

const folderObjections: Readonly<Record<string, string>> = {
  EACCES: 'permission is denied',
  EPERM: 'permission is denied',
  EROFS: 'the file system is read-only',
  ENAMETOOLONG: 'the path is too long',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'a part of the path is a file or a broken link',
  ENOENT: 'a part of the path does not exist and cannot be created',
  ENOSPC: 'the disk is full',
  ELOOP: 'its links form a loop',
}

/** The folder of all labs under the name that the user gave it, for messages. */
export function namedHome(given: string | undefined, environment: NodeJS.ProcessEnv = process.env): string {
  if (given !== undefined) return requireAbsolute('home', given)
  const own = environment['HACTL_HOME'] ?? ''
  if (own !== '') return requireAbsolute('HACTL_HOME', own)
  const state = environment['XDG_STATE_HOME'] ?? ''
  // The XDG specification treats an empty variable as unset.
  return join(
    state === '' ? join(userHome(environment), '.local', 'state') : requireAbsolute('XDG_STATE_HOME', state),
    'hactl',
  )
}

function userHome(environment: NodeJS.ProcessEnv): string {
  const own = environment['HOME'] ?? ''
  if (own !== '') return requireAbsolute('HOME', own)
  try {
    return homedir()
  } catch (cause) {
    throw labError(
      'config-invalid',
      `HOME is not set, and user ${process.getuid?.()} has no entry in /etc/passwd; set HACTL_HOME to a folder for the labs`,
      { cause },
    )
  }
}

/** A symbolic link, and what it points to. */
interface HomeLink {
  readonly link: string
  readonly target: string
}

const homeLinkName = /^home-[0-9a-f]{16}$/

// The path itself, or that of its link.
function safePath(home: string): string {
  if (/^[A-Za-z0-9._/-]*$/.test(home)) return home
  return join(shortSocketFolder(process.getuid?.() ?? 0), `home-${digestOf(home)}`)
}

/** The link through which the lab in this folder is reached; undefined where there is none. */
export function homeLinkOf(folder: string): HomeLink | undefined {
  const link = dirname(dirname(folder))
  return homeLinkName.test(basename(link)) ? { link, target: readlinkSync(link) } : undefined
}

/** Creates a link that does not exist, as after the system has cleaned its folder for temporary files. */
export function restoreHomeLink({ link, target }: HomeLink): void {
  prepareSocketFolder(dirname(link), process.getuid?.() ?? 0)
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) return
  try {
    symlinkSync(target, link)
  } catch (thrown) {
    // Another command has created the same link meanwhile.
    if (!existsSync(link)) throw asError(thrown)
  }
}

/** Removes the link to the folder of all labs when it contains none. */
export function removeUnusedHomeLink(home: string): void {
  if (!homeLinkName.test(basename(home)) || isHomeInUse(home)) return
  rmSync(home, { force: true })
  try {
    rmdirSync(dirname(home))
  } catch {
    // The folder is in use by other labs.
  }
}

function isHomeInUse(home: string): boolean {
  return ['labs', 'sandboxes'].some((name) => entriesOf(join(home, name)).length > 0)
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    // A folder that is missing or closed to this user contains no lab of this user.
    return []
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** The folder that contains the folders of the labs. */
export function labsFolder(home: string): string {
  return join(home, 'labs')
}

/** The folder of one lab. */
export function labFolder(home: string, lab: string): string {
  return join(labsFolder(home), lab)
}

/** The names of the labs that have a readable plan, sorted. */
export function labNames(home: string): readonly string[] {
  return folderNames(home).filter((lab) => findPlan(labFolder(home, lab)) !== undefined)
}

/** The names of the folders that a crash left without a readable plan. */
export function leftoverNames(home: string): readonly string[] {
  return folderNames(home).filter((lab) => findPlan(labFolder(home, lab)) === undefined)
}

/** The file with the plan of a lab. */
export function planPath(folder: string): string {
  return join(folder, 'plan.json')
}

/** The file with the journal of a lab. */
export function journalPath(folder: string): string {
  return join(folder, 'events.jsonl')
}

/** The plan of a lab; undefined when none can be read. */
export function findPlan(folder: string): LabPlan | undefined {
  try {
    const plan = JSON.parse(readFileSync(planPath(folder), 'utf8'))
    return plan?.schema === 'ha-plan/v1' ? plan : undefined
  } catch {
    // A missing file and one that was cut short are the same: no command can use them.
    return undefined
  }
}

/** The socket of the supervisor: in the lab's folder, or under a short name when that path is too long. */
export function socketPath(folder: string, uid: number): string {
  const path = join(folder, 'control.sock')
  if (Buffer.byteLength(path) <= longestSocketPath) return path
  return join(shortSocketFolder(uid), `${digestOf(folder)}.sock`)
}

/** The folder of the short socket names; only its user may open it. */
export function shortSocketFolder(uid: number): string {
  return `/tmp/hactl-${uid}`
}

/** The last lines of a log, without empty ones. */
export function logTail(path: string, lines: number): readonly string[] {
  if (!existsSync(path)) return []
  return readEnd(path)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-lines)
}

// A log may be larger than the memory.
const mostLogBytes = 256 * 1024

function readEnd(path: string): string {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const end = Buffer.alloc(Math.min(size, mostLogBytes))
    const length = readSync(file, end, 0, end.length, size - end.length)
    // The first line is cut short where the log is longer.
    const from = size > end.length ? end.indexOf(0x0a) + 1 : 0
    return end.toString('utf8', from, length)
  } finally {
    closeSync(file)
  }
}

// A relative path would depend on the current folder, and the next command would not find the labs.
function requireAbsolute(what: string, path: string): string {
  if (!isAbsolute(path)) throw labError('config-invalid', `${what}: expected an absolute path, got '${path}'`)
  return resolve(path)
}

// Drafts and folders that are being removed have names that no lab can have.
function folderNames(home: string): readonly string[] {
  const folder = labsFolder(home)
  if (!existsSync(folder)) return []
  return readLabs(folder)
    .filter((entry) => entry.isDirectory() && isName(entry.name))
    .map((entry) => entry.name)
    .sort()
}

function readLabs(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (cause) {
    throw unusableHome(`the labs in '${dirname(folder)}' cannot be read`, cause)
  }
}

/** Writes the files of the plan. Secrets are generated here and stored nowhere else. */
export function writeLabFiles(plan: Pick<LabPlan, 'folder' | 'files'>): void {
  for (const file of plan.files) {
    const path = join(plan.folder, file.path)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeLabFile(path, file)
  }
}

/**
 * Rejects a secret file that is missing or open to others: the server would reject it too, with a less specific
 * message.
 */
export function checkSecrets(plan: Pick<LabPlan, 'folder' | 'files'>): void {
  for (const file of plan.files.filter((planned) => planned.secret)) {
    const path = join(plan.folder, file.path)
    if (!existsSync(path))
      throw labError('secret-mode', `${path} is missing; run: hactl down, and start again`)
    const mode = statSync(path).mode & 0o777
    if ((mode & 0o077) !== 0) {
      const shown = mode.toString(8).padStart(4, '0')
      throw labError(
        'secret-mode',
        `${path} has mode ${shown}, so other users can read the secret; run: chmod 0400 ${path}`,
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

// The folder in which the system keeps the data of services.
const rootDataFolder = '/var/lib/hactl'
// The name of a node has up to 31 letters.
const longestSocketName = '/data/'.length + 31 + '.sock'.length

/**
 * The folder for the data of servers that run under another account: below /var/lib when root starts the lab, since
 * other users may not pass root's home; in the lab's folder otherwise, or under a short name when the sockets would
 * not fit there.
 */
export function dataFolder(folder: string, uid: number): string {
  const digest = digestOf(folder)
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
 * Creates a folder for sockets in a place where every user may write. An existing one must be a folder of this user
 * that is closed to others: behind a link, or in another user's folder, another user could answer on the socket.
 */
export function prepareSocketFolder(path: string, uid: number): void {
  if (!existsSync(path)) mkdirSync(path, { recursive: true, mode: 0o700 })
  const objection = unsafeReason(lstatSync(path), uid)
  if (objection !== undefined) throw labError('supervisor-lost', `${path} ${objection}; run: rm -r ${path}`)
}

function unsafeReason(stat: Stats, uid: number): string | undefined {
  if (!stat.isDirectory()) return 'is not a folder'
  if (stat.uid !== uid) return 'belongs to another user'
  return (stat.mode & 0o077) === 0 ? undefined : 'is open to other users'
}

// A lab is created and removed beside its final folder, under a name that no lab can have: .rabbitmq.4711.a1b2c3
const draftName = /^\.[a-z0-9-]+\.(\d+)\.\w+$/

/** Creates an empty folder beside `folder`, in which a lab is prepared before it is moved to its final place. */
export function createDraftFolder(folder: string): string {
  return mkdtempSync(draftStem(folder))
}

/**
 * Removes the folder of a lab. It is renamed first, in one step, so that a crash leaves nothing that looks like a lab.
 */
export function removeLabFolder(folder: string): void {
  // Data outside of the folder are removed first: after a crash in between, the folder is still a lab and can be ended
  // again.
  removeData(folder)
  if (existsSync(folder)) {
    const aside = `${draftStem(folder)}${randomBytes(3).toString('hex')}`
    renameSync(folder, aside)
    rmSync(aside, { recursive: true, force: true, maxRetries: 5 })
  }
  removeUnusedHomeLink(dirname(dirname(folder)))
}

/** Ends all processes of a lab without a supervisor, recorded or not, and removes its folder. */
export async function endAndRemoveLab(folder: string): Promise<void> {
  await endLabProcesses(folder)
  removeLabFolder(folder)
}

/** Removes drafts and half-removed labs whose processes have ended. */
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
