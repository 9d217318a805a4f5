import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Plan } from '../model/plan.ts'

// The kernel takes 107 bytes of a socket path and no more.
const longestSocketPath = 107

/** The folder that holds all labs: `given`, else HACTL_HOME, else where the user's programs keep their state. */
export function labsHome(given: string | undefined, environment: NodeJS.ProcessEnv = process.env): string {
  const state = environment['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state')
  return resolve(given ?? environment['HACTL_HOME'] ?? join(state, 'hactl'))
}

/** The folder of one lab. */
export function labFolder(home: string, lab: string): string {
  return join(home, 'labs', lab)
}

/** The names of the labs that have a plan, sorted. */
export function labNames(home: string): readonly string[] {
  const folder = join(home, 'labs')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((lab) => existsSync(planPath(labFolder(home, lab))))
    .sort()
}

/** Where a lab keeps its plan. */
export function planPath(folder: string): string {
  return join(folder, 'plan.json')
}

/** Where a lab keeps its journal. */
export function journalPath(folder: string): string {
  return join(folder, 'events.jsonl')
}

/** The plan of a lab. */
export function readPlan(folder: string): Plan {
  return JSON.parse(readFileSync(planPath(folder), 'utf8'))
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
