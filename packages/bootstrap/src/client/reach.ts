import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '@ha/core'
import { fold, initialLabState } from '../lab/state.ts'
import { journalPath, logTail, planPath } from '../machine/lab-folder.ts'
import { acceptsConnections } from '../machine/sockets.ts'
import { labError } from '../model/codes.ts'
import { readEvents } from '../supervisor/book.ts'
import { isHeld, type LabLock, readLabLock } from '../supervisor/claim.ts'

const reachTimeoutMs = 15_000
const reachPollMs = 20

/**
 * The claim of the supervisor that looks after the lab, which listens. One that was killed is replaced: the new one
 * takes the processes over and repairs overdue leases before it answers.
 */
export async function ensureSupervisor(folder: string, signal?: AbortSignal): Promise<LabLock> {
  const giveUpAt = systemClock.now() + reachTimeoutMs
  signal?.throwIfAborted()
  checkNotEnded(folder)
  if (!isHeld(readLabLock(folder))) launchSupervisor(folder)
  while (systemClock.now() < giveUpAt) {
    const claim = readLabLock(folder)
    if (claim !== undefined && isHeld(claim) && (await acceptsConnections(claim.socket))) return claim
    await systemClock.sleep(reachPollMs, signal)
    checkNotEnded(folder)
  }
  const log = supervisorLog(folder)
  const tail = logTail(log, 15).join('\n')
  throw labError(
    'supervisor-lost',
    `the supervisor of ${folder} does not answer; the end of ${log}:\n${tail}`,
  )
}

// A lab that has ended or failed has no supervisor and needs none.
function checkNotEnded(folder: string): void {
  if (!existsSync(planPath(folder))) throw labError('lab-unknown', `the lab in ${folder} has ended`)
  const { phase } = readEvents(journalPath(folder)).reduce(fold, initialLabState)
  if (phase.kind === 'ended') throw labError('lab-unknown', `the lab in ${folder} has ended`)
  if (phase.kind === 'failed') throw labError('lab-failed', phase.message)
}

// A session of its own: neither the end of this program nor of its terminal ends the supervisor.
function launchSupervisor(folder: string): void {
  const log = openSync(supervisorLog(folder), 'a', 0o600)
  const entry = fileURLToPath(new URL('../supervisor/main.js', import.meta.url))
  const child = spawn(process.execPath, [entry, folder], {
    cwd: '/',
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  child.unref()
}

function supervisorLog(folder: string): string {
  return join(folder, 'supervisor.log')
}
