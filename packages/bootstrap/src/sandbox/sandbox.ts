import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Environment, findProgram, searchPath } from '../machine/installations.ts'
import { labFolder, labNames, labsHome, removeLabFolder } from '../machine/lab-folder.ts'
import { identify } from '../machine/process-table.ts'
import { runCommand } from '../machine/run-command.ts'
import { labError } from '../model/errors.ts'
import type { Network } from '../model/network.ts'

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

const programs = ['unshare', 'nsenter', 'setpriv', 'mountpoint', 'ip'] as const
const probeTimeoutMs = 10_000
// What a sandbox is made of, tried in one that is gone at once.
const probe =
  'ip link add name probe type veth peer name other && ip rule add pref 1 from 10.77.0.1 blackhole'

/** Why there can be no sandbox. */
export interface SandboxObstacle {
  readonly because: string
  /** The programs that are not there; empty: the kernel is the reason. */
  readonly missing: readonly string[]
}

/** Why there can be no sandbox on this machine; undefined when there can. It leaves nothing behind. */
export async function findSandboxObstacle(): Promise<SandboxObstacle | undefined> {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
  const missing = programs.filter((name) => findProgram(name, searchPath({ PATH: path })) === undefined)
  if (missing.length > 0) return { because: `not found: ${missing.join(', ')}`, missing }
  const argv = [...unshareArgv(process.getuid?.() ?? 0), 'sh', '-c', probe]
  const { status, stderr } = await runCommand(
    { argv, env: { PATH: path }, stdin: '' },
    { timeoutMs: probeTimeoutMs },
  )
  if (status === 0) return undefined
  return { because: `the kernel refuses: ${stderr.trim().split('\n')[0] ?? ''}`, missing }
}

/**
 * What comes before a command that shall run in namespaces of its own. Its processes have a table of their own, whose
 * end is the end of the command: whatever it left running ends with it.
 */
function unshareArgv(uid: number): readonly string[] {
  return [
    'unshare',
    ...userNamespaceArgs(uid),
    '--net',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
  ]
}

// Root needs no namespace of users, and MariaDB would not find its own user in one. Anybody else stays who he is, and
// may do in the sandbox what root may do outside.
function userNamespaceArgs(uid: number): readonly string[] {
  return uid === 0 ? [] : ['--user', '--map-current-user', '--keep-caps']
}

/** The exit status by which a shell tells how a command ended. */
export function exitStatus(status: number | null, signal: NodeJS.Signals | null): number {
  return status ?? 128 + (signal === null ? 0 : constants.signals[signal])
}

/** In the environment of everything in a sandbox: the folder of the sandbox. */
export const sandboxVariable = 'HACTL_SANDBOX'

/** On which network labs of this process are: that of its sandbox when it is in one. */
export function findNetwork(environment: Environment): Network {
  const folder = environment[sandboxVariable] ?? ''
  if (folder === '') return { kind: 'loopback' }
  if (isInside(folder)) return { kind: 'sandbox', folder }
  throw labError(
    'platform-unfit',
    `${sandboxVariable} is set, and this process is not in the sandbox of ${folder}; type: unset ${sandboxVariable}`,
  )
}

/** The file that says which network namespace applications in the sandbox are in. */
export function clientsFile(folder: string): string {
  return join(folder, 'clients')
}

/** Which network namespace this process is in, as the kernel names it. */
export function ownNamespace(): string {
  return readlinkSync('/proc/self/ns/net')
}

function isInside(folder: string): boolean {
  const path = clientsFile(folder)
  return existsSync(path) && readFileSync(path, 'utf8') === ownNamespace()
}
