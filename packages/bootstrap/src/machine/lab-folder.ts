import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { labError } from '../model/codes.ts'
import { isName } from '../model/names.ts'
import type { Plan } from '../model/plan.ts'

/** The kernel takes 107 bytes of a socket path and no more. */
export const longestSocketPath = 107

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
