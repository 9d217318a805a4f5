import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProcessId } from '../lab/events.ts'
import { identify, isRunning } from '../machine/process-table.ts'

/** Who looks after a lab, and where it listens. */
export interface Claim {
  readonly term: number
  readonly supervisor: ProcessId
  readonly socket: string
}

/** The claim of the highest term, whether its holder still runs or not; undefined when there is none to be read. */
export function currentClaim(folder: string): Claim | undefined {
  const highest = terms(folder).at(-1)
  if (highest === undefined) return undefined
  try {
    return JSON.parse(readFileSync(claimPath(folder, highest), 'utf8'))
  } catch {
    // Removed between two looks, or cut short when the machine went down: nobody holds it.
    return undefined
  }
}

/** Whether the holder of the claim still runs. */
export function isHeld(claim: Claim | undefined): boolean {
  return claim !== undefined && isRunning(claim.supervisor)
}

/**
 * Claims the lab for this process under the next term; undefined when somebody else holds it. A term's file is made
 * by one link, which the file system grants to one process only, so two supervisors never believe to hold one lab.
 */
export function claimLab(folder: string, socket: string): Claim | undefined {
  const supervisor = identify(process.pid)
  if (supervisor === undefined || isHeld(currentClaim(folder))) return undefined
  const claim: Claim = { term: (terms(folder).at(-1) ?? 0) + 1, supervisor, socket }
  mkdirSync(claimFolder(folder), { recursive: true, mode: 0o700 })
  const draft = join(claimFolder(folder), `draft.${process.pid}`)
  writeFileSync(draft, JSON.stringify(claim), { mode: 0o600 })
  try {
    linkSync(draft, claimPath(folder, claim.term))
    return claim
  } catch {
    // The other supervisor was quicker: the term is its own.
    return undefined
  } finally {
    rmSync(draft, { force: true })
  }
}

function terms(folder: string): readonly number[] {
  try {
    return readdirSync(claimFolder(folder))
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .sort((a, b) => a - b)
  } catch {
    // No folder, no claims.
    return []
  }
}

function claimFolder(folder: string): string {
  return join(folder, 'supervisor')
}

function claimPath(folder: string, term: number): string {
  return join(claimFolder(folder), String(term))
}
