import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '@ha/core'
import { fold, unbornLab } from '../lab/state.ts'
import { journalPath, logTail, planPath } from '../machine/lab-folder.ts'
import { accepts } from '../machine/sockets.ts'
import { labError } from '../model/codes.ts'
import { readEvents } from '../supervisor/book.ts'
import { type Claim, currentClaim, isHeld } from '../supervisor/claim.ts'

const reachTimeoutMs = 15_000
const lookMs = 20

/**
 * The claim of the supervisor that looks after the lab, which listens. One that was killed is replaced: the new one
 * takes the processes over and repairs overdue leases before it answers.
 */
export async function reachSupervisor(folder: string, signal?: AbortSignal): Promise<Claim> {
  const giveUpAt = systemClock.now() + reachTimeoutMs
  signal?.throwIfAborted()
  checkAlive(folder)
  if (!isHeld(currentClaim(folder))) launchSupervisor(folder)
  while (systemClock.now() < giveUpAt) {
    const claim = currentClaim(folder)
    if (claim !== undefined && isHeld(claim) && (await accepts(claim.socket))) return claim
    await systemClock.sleep(lookMs, signal)
    checkAlive(folder)
  }
  const log = supervisorLog(folder)
  const tail = logTail(log, 15).join('\n')
  throw labError(
    'supervisor-lost',
    `the supervisor of ${folder} does not answer; the end of ${log}:\n${tail}`,
  )
}

// A lab that has ended or failed has no supervisor and needs none.
function checkAlive(folder: string): void {
  if (!existsSync(planPath(folder))) throw labError('lab-unknown', `the lab in ${folder} has ended`)
  const { phase } = readEvents(journalPath(folder)).reduce(fold, unbornLab)
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
