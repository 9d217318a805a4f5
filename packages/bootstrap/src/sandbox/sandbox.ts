import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Environment, findProgram, searchPath } from '../machine/installations.ts'
import {
  createLabsHome,
  labFolder,
  labNames,
  removeLabFolder,
  removeUnusedHomeLink,
} from '../machine/lab-folder.ts'
import { identify } from '../machine/process-table.ts'
import { runCommand } from '../machine/run-command.ts'
import { labError } from '../model/errors.ts'
import type { Network } from '../model/network.ts'

/**
 * Runs a command in a network of its own, in which every node of a lab has an address and can be partitioned. Resolves
 * with the exit status of the command once every process that it left running has ended and its labs are removed.
 */
export async function runInSandbox(command: readonly string[], signal: AbortSignal): Promise<number> {
  if (process.env[sandboxVariable] !== undefined) {
    throw labError('usage', 'this is a sandbox already; run the command without hactl sandbox --')
  }
  const refusal = await findSandboxObstacle()
  if (refusal !== undefined) {
    throw labError(
      'platform-unfit',
      `a sandbox is not possible on this machine: ${refusal.because}; see: hactl doctor`,
    )
  }
  const home = createLabsHome(undefined)
  const folder = newFolder(join(home, 'sandboxes'))
  try {
    return await runIn(folder, command, signal)
  } finally {
    removeSandbox(folder)
    removeUnusedHomeLink(home)
  }
}

async function runIn(folder: string, command: readonly string[], signal: AbortSignal): Promise<number> {
  signal.throwIfAborted()
  const entry = fileURLToPath(new URL('main.js', import.meta.url))
  // The kernel ends the sandbox when this process is killed.
  const argv = ['--pdeathsig', 'SIGKILL', ...unshareArgv(process.getuid?.() ?? 0)]
  const child = spawn('setpriv', [...argv, process.execPath, entry, folder, ...command], { stdio: 'inherit' })
  // unshare blocks SIGTERM while it waits; the kernel ends the sandbox after it in any case.
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

// The name contains the pid of its creator, so that the next sandbox removes what a killed one left.
function newFolder(sandboxes: string): string {
  mkdirSync(sandboxes, { recursive: true, mode: 0o700 })
  for (const name of readdirSync(sandboxes)) {
    if (identify(Number(name.split('.')[0])) === undefined) removeSandbox(join(sandboxes, name))
  }
  return mkdtempSync(join(sandboxes, `${process.pid}.`))
}

// No process of the sandbox runs any more; the data of its servers may be elsewhere.
function removeSandbox(folder: string): void {
  if (!existsSync(folder)) return
  for (const lab of labNames(folder)) removeLabFolder(labFolder(folder, lab))
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

const programs = ['unshare', 'nsenter', 'setpriv', 'mountpoint', 'ip'] as const
const probeTimeoutMs = 10_000
// Tries the operations that a sandbox needs, in namespaces that end with the command.
const probe =
  'ip link add name probe type veth peer name other && ip rule add pref 1 from 10.77.0.1 blackhole'

/** Why a sandbox is not possible. */
export interface SandboxObstacle {
  readonly because: string
  /** The missing programs; empty when the kernel is the reason. */
  readonly missing: readonly string[]
}

/** Why a sandbox is not possible on this machine; undefined when it is. The check leaves nothing behind. */
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
  return { because: `the kernel does not allow it: ${stderr.trim().split('\n')[0] ?? ''}`, missing }
}

/**
 * The prefix of a command that runs in namespaces of its own. Their process table ends with the command, and so does
 * every process that it left running.
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

// Root needs no user namespace, and MariaDB would not find its account in one. Any other user keeps its identity, and
// may do in the sandbox what root may do outside.
function userNamespaceArgs(uid: number): readonly string[] {
  return uid === 0 ? [] : ['--user', '--map-current-user', '--keep-caps']
}

/** The exit status with which a shell reports the end of a command. */
export function exitStatus(status: number | null, signal: NodeJS.Signals | null): number {
  return status ?? 128 + (signal === null ? 0 : constants.signals[signal])
}

/** The environment variable of all processes in a sandbox, with the folder of the sandbox. */
export const sandboxVariable = 'HACTL_SANDBOX'

/** The network for labs of this process: that of its sandbox when it runs in one. */
export function findNetwork(environment: Environment): Network {
  const folder = environment[sandboxVariable] ?? ''
  if (folder === '') return { kind: 'loopback' }
  if (isInside(folder)) return { kind: 'sandbox', folder }
  throw labError(
    'platform-unfit',
    `${sandboxVariable} is set, but this process is not in the sandbox of ${folder}; run: unset ${sandboxVariable}`,
  )
}

/** The file with the network namespace of the applications in the sandbox. */
export function clientsFile(folder: string): string {
  return join(folder, 'clients')
}

/** The network namespace of this process, as the kernel names it. */
export function ownNamespace(): string {
  return readlinkSync('/proc/self/ns/net')
}

function isInside(folder: string): boolean {
  const path = clientsFile(folder)
  return existsSync(path) && readFileSync(path, 'utf8') === ownNamespace()
}
