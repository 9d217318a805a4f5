import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { removeData } from './data-folder.ts'
import { endMarked } from './marks.ts'
import { identify } from './process-table.ts'

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
