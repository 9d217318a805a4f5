import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { linkedController } from '@ha/core/driver'
import { type RunCommand, runCommand } from '../machine/run-command.ts'
import { labError } from '../model/errors.ts'
import type { KindName } from '../model/plan.ts'
import { checkWaitMs } from '../model/validation.ts'
import { detectHost } from './doctor.ts'
import {
  chooseInstall,
  type HostSystem,
  type InstallChoice,
  type ServerPackages,
  type ServerSearch,
  serversFor,
} from './server-packages.ts'

/** The outcome of an installation, or the command that the user has to run. */
export type InstallOutcome =
  | { readonly kind: 'complete' }
  | { readonly kind: 'installed'; readonly packages: readonly string[] }
  | { readonly kind: 'ask'; readonly packages: readonly string[]; readonly command: string }

/** What is installed, who is informed, and how long it may take. */
export interface InstallOptions {
  /** The kinds of lab whose servers are wanted. Default `['rabbitmq']`. */
  readonly kinds?: readonly KindName[]
  /** Called with what is about to be done, then with the output of the package manager. */
  readonly onProgress?: (text: string) => void
  /**
   * The time in milliseconds after which the package manager is asked to end. It never ends in the middle of a
   * package. Default 600 000.
   */
  readonly timeoutMs?: number
  /** Asks the package manager to end, as the deadline does. */
  readonly signal?: AbortSignal
}

/** The dependencies of an installation; tests replace them. */
export interface InstallDeps {
  readonly run: RunCommand
  readonly servers: ServerPackages
  readonly search: () => ServerSearch
  readonly host: HostSystem
  /** The file that invoke-rc.d asks whether a service may be started. */
  readonly policyPath: string
  readonly hasSystemd: boolean
  /** Whether this systemd unit is installed. */
  readonly hasUnit: (unit: string) => boolean
}

const defaultInstallMs = 600_000
// systemd answers within milliseconds.
const disableTimeoutMs = 30_000

/**
 * Installs the servers that labs need where this user may, and otherwise returns the command to run. It leaves no
 * server running.
 */
export async function installServers(options: InstallOptions = {}): Promise<InstallOutcome> {
  const outcomes: InstallOutcome[] = []
  for (const servers of serversFor(options.kinds ?? ['rabbitmq'])) {
    outcomes.push(
      await installWith(options, {
        run: runCommand,
        servers,
        search: () => servers.search(process.env),
        host: detectHost(),
        policyPath: '/usr/sbin/policy-rc.d',
        hasSystemd: existsSync('/run/systemd/system'),
        hasUnit: (unit) => ['/lib', '/usr/lib'].some((root) => existsSync(`${root}/systemd/system/${unit}`)),
      }),
    )
  }
  return combineOutcomes(outcomes)
}

/** Combines several outcomes; a command that the user has to run takes precedence. */
export function combineOutcomes(outcomes: readonly InstallOutcome[]): InstallOutcome {
  const asked = outcomes.filter((outcome) => outcome.kind === 'ask')
  const installed = outcomes.filter((outcome) => outcome.kind === 'installed')
  if (asked.length > 0) {
    const command = asked.map((outcome) => outcome.command).join(' && ')
    return { kind: 'ask', packages: asked.flatMap(({ packages }) => packages), command }
  }
  if (installed.length === 0) return { kind: 'complete' }
  return { kind: 'installed', packages: installed.flatMap(({ packages }) => packages) }
}

/** Installs the servers of one vendor with the given dependencies. */
export async function installWith(options: InstallOptions, tools: InstallDeps): Promise<InstallOutcome> {
  const timeoutMs = checkWaitMs(options.timeoutMs, 'installServers.timeoutMs', defaultInstallMs)
  const choice = chooseInstall(tools.servers, tools.search(), tools.host)
  if (choice.kind !== 'can-install') return choice
  options.onProgress?.(`installing ${choice.packages.join(', ')}: ${choice.argv.join(' ')}\n`)
  await deferSignals((interrupt) => {
    const scope = linkedController(options.signal, interrupt)
    return install(choice.argv, { ...options, timeoutMs, signal: scope.signal }, tools).finally(scope.unlink)
  })
  return outcomeOf(choice, tools)
}

type LimitedOptions = InstallOptions & { readonly timeoutMs: number; readonly signal: AbortSignal }

async function install(argv: readonly string[], limit: LimitedOptions, tools: InstallDeps): Promise<void> {
  const unitsBefore = tools.servers.units.filter(tools.hasUnit)
  const undo = denyServiceStarts(tools.policyPath)
  const stopAnnouncing = announceInterrupt(limit)
  try {
    await apt(['apt-get', 'update'], limit, tools)
    await apt(argv, limit, tools)
  } finally {
    stopAnnouncing()
    undo()
    const unitsNow = tools.servers.units.filter(tools.hasUnit)
    await disable(
      unitsNow.filter((unit) => !unitsBefore.includes(unit)),
      tools,
    )
  }
}

// A killed apt leaves packages half configured, and dpkg goes on without it. SIGINT is the intended request: apt ends
// at once while it downloads, and after the present package while it installs.
async function apt(argv: readonly string[], limit: LimitedOptions, tools: InstallDeps): Promise<void> {
  const { timeoutMs, signal, onProgress } = limit
  signal.throwIfAborted()
  const env = { ...definedVariables(process.env), DEBIAN_FRONTEND: 'noninteractive', [installMark]: '1' }
  const command = { argv, env, stdin: '' }
  const result = await tools.run(command, { timeoutMs, signal, onOutput: onProgress, endWith: 'SIGINT' })
  if (result.status === 0) return
  signal.throwIfAborted()
  const tail = `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-5).join('\n')
  throw labError('install-failed', `${argv.join(' ')} failed; run it manually. Its last lines:\n${tail}`)
}

// Services that were not installed before must neither run now nor start at the next boot.
async function disable(units: readonly string[], tools: InstallDeps): Promise<void> {
  if (!tools.hasSystemd || units.length === 0) return
  const argv = ['systemctl', 'disable', '--now', ...units]
  const { status, stdout, stderr } = await tools.run(
    { argv, env: definedVariables(process.env), stdin: '' },
    { timeoutMs: disableTimeoutMs },
  )
  if (status === 0) return
  throw labError(
    'install-failed',
    `${argv.join(' ')} failed; run it manually: ${`${stderr}${stdout}`.trim()}`,
  )
}

// Explains an interrupted user why the installation does not end at once.
function announceInterrupt({ signal, onProgress }: LimitedOptions): () => void {
  const say = (): void =>
    onProgress?.('the package manager was asked to end; it finishes the present package first\n')
  signal.addEventListener('abort', say, { once: true })
  return () => signal.removeEventListener('abort', say)
}

function outcomeOf(
  { packages }: Extract<InstallChoice, { kind: 'can-install' }>,
  tools: InstallDeps,
): InstallOutcome {
  const search = tools.search()
  const left = chooseInstall(tools.servers, search, tools.host)
  if (search.kind === 'found') return { kind: 'installed', packages }
  if (left.kind === 'ask') return left
  const programs = search.programs.join(', ')
  throw labError(
    'install-failed',
    `${packages.join(', ')} was installed, but these programs are still missing: ${programs}`,
  )
}

function definedVariables(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

// invoke-rc.d and deb-systemd-invoke run this program to ask whether a service may be started; 101 forbids it.
const mark = '# Written by hactl while it installs servers; may be removed.'

/** The environment variable that the package manager passes to the maintainer scripts it runs. */
export const installMark = 'HACTL_INSTALL'

/** Forbids service starts only to the maintainer scripts of our own installation; harmless when it is left behind. */
const policy = `#!/bin/sh
${mark}
test -n "$${installMark}" && exit 101
exit 0
`

/**
 * Denies the service starts of an installation that carries {@link installMark}; the returned function undoes it. A
 * policy of the administrator stays in force; one of ours that a killed process left is replaced.
 */
export function denyServiceStarts(path: string): () => void {
  if (existsSync(path) && !readFileSync(path, 'utf8').includes(mark)) return () => undefined
  writeFileSync(path, policy)
  chmodSync(path, 0o755)
  return () => rmSync(path, { force: true })
}

const terminationSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs work that must not be interrupted in the middle: a signal that would end this process aborts the signal of the
 * work instead, and ends the process after the work. A process with its own listeners for such signals is not
 * affected.
 */
export async function deferSignals<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupt = new AbortController()
  let caught: NodeJS.Signals | undefined
  const onSignal = (name: NodeJS.Signals): void => {
    caught ??= name
    interrupt.abort(new Error(`${name} was received`))
  }
  const unhandled = terminationSignals.filter((name) => process.listenerCount(name) === 0)
  for (const name of unhandled) process.on(name, onSignal)
  try {
    return await work(interrupt.signal)
  } finally {
    for (const name of unhandled) process.off(name, onSignal)
    if (caught !== undefined) process.kill(process.pid, caught)
  }
}
