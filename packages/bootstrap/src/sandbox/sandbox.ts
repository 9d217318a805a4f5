import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { removeLabFolder } from '../machine/aside.ts'
import { labFolder, labNames, labsHome } from '../machine/lab-folder.ts'
import { identify } from '../machine/process-table.ts'
import { labError } from '../model/codes.ts'
import { exitStatus } from './exit-status.ts'
import { sandboxVariable } from './find-network.ts'
import { unshareArgv } from './namespaces.ts'
import { findSandboxObstacle } from './refusal.ts'

/**
 * Runs a command in a network of its own, in which every node of a lab gets an address and can be cut off. Resolves
 * with the exit status of the command, when everything that it left running has ended and the labs of it are gone.
 */
export async function runInSandbox(command: readonly string[], signal: AbortSignal): Promise<number> {
  if (process.env[sandboxVariable] !== undefined) {
    throw labError('usage', 'this is in a sandbox already; type the command without hactl sandbox --')
  }
  const refusal = await findSandboxObstacle()
  if (refusal !== undefined) {
    throw labError('platform-unfit', `there can be no sandbox here: ${refusal.because}; see: hactl doctor`)
  }
  const folder = newFolder(join(labsHome(undefined), 'sandboxes'))
  try {
    return await runIn(folder, command, signal)
  } finally {
    removeSandbox(folder)
  }
}

async function runIn(folder: string, command: readonly string[], signal: AbortSignal): Promise<number> {
  signal.throwIfAborted()
  const entry = fileURLToPath(new URL('main.js', import.meta.url))
  // When this process is killed, the kernel ends the sandbox.
  const argv = ['--pdeathsig', 'SIGKILL', ...unshareArgv(process.getuid?.() ?? 0)]
  const child = spawn('setpriv', [...argv, process.execPath, entry, folder, ...command], { stdio: 'inherit' })
  // unshare blocks SIGTERM while it waits; whatever ends it, the kernel ends the sandbox after it.
  const end = (): void => void child.kill('SIGKILL')
  signal.addEventListener('abort', end, { once: true })
  try {
    const [status, name] = await once(child, 'close')
    signal.throwIfAborted()
    return exitStatus(status, name)
  } finally {
    signal.removeEventListener('abort', end)
  }
}

// Beside the labs of this user, with the pid of whoever made it: what a killed one left is removed by the next.
function newFolder(sandboxes: string): string {
  mkdirSync(sandboxes, { recursive: true, mode: 0o700 })
  for (const name of readdirSync(sandboxes)) {
    if (identify(Number(name.split('.')[0])) === undefined) removeSandbox(join(sandboxes, name))
  }
  return mkdtempSync(join(sandboxes, `${process.pid}.`))
}

// Nothing in it runs any more; data of its servers may be elsewhere.
function removeSandbox(folder: string): void {
  if (!existsSync(folder)) return
  for (const lab of labNames(folder)) removeLabFolder(labFolder(folder, lab))
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}
