import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fold, unbornLab } from '../lab/state.ts'
import { journalPath, labFolder, labNames, labsHome, leftoverNames } from '../machine/lab-folder.ts'
import { availableMemoryMib } from '../machine/memory.ts'
import { hasProc, resolveLocalhost } from '../machine/platform.ts'
import { findRabbit } from '../machine/rabbit-programs.ts'
import { readEvents } from '../supervisor/book.ts'
import { currentClaim, isHeld } from '../supervisor/claim.ts'
import { type Finding, judgeMachine, type LabFact, type MachineFacts } from './findings.ts'
import type { Host } from './install-command.ts'

/** Looks at this machine and says what a lab would stumble over. It changes nothing. */
export async function doctor(options: { readonly home?: string } = {}): Promise<readonly Finding[]> {
  return judgeMachine(await lookAtMachine(labsHome(options.home)))
}

/** Which system this is, and whether we may install packages on it. */
export function lookAtHost(): Host {
  const osRelease = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  const words = [...osRelease.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].map((match) => match[1] ?? '')
  return { families: words.join(' ').split(/\s+/), isRoot: process.getuid?.() === 0 }
}

async function lookAtMachine(home: string): Promise<MachineFacts> {
  return {
    hasProc: hasProc(),
    localhost: await resolveLocalhost(),
    rabbit: findRabbit(process.env),
    host: lookAtHost(),
    availableMemoryMib: hasProc() ? availableMemoryMib() : undefined,
    home,
    homeIsWritable: isWritable(home),
    labs: labNames(home).map((name) => lookAtLab(home, name)),
    leftovers: leftoverNames(home),
  }
}

// The folder itself need not be there yet: then its nearest ancestor decides.
function isWritable(folder: string): boolean {
  if (!existsSync(folder)) return isWritable(dirname(folder))
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    // Not writable: that is the answer.
    return false
  }
}

function lookAtLab(home: string, name: string): LabFact {
  const folder = labFolder(home, name)
  const { phase } = readEvents(journalPath(folder)).reduce(fold, unbornLab)
  return { name, isFailed: phase.kind === 'failed', isSupervised: isHeld(currentClaim(folder)) }
}
