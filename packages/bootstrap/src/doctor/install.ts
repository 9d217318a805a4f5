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

/** What installing did, or what somebody has to type. */
export type InstallOutcome =
  | { readonly kind: 'complete' }
  | { readonly kind: 'installed'; readonly packages: readonly string[] }
  | { readonly kind: 'ask'; readonly packages: readonly string[]; readonly command: string }

/** What is installed, who hears the package manager, and how long it may take. */
export interface InstallOptions {
  /** The kinds of lab whose servers are wanted. Default `['rabbitmq']`. */
  readonly kinds?: readonly KindName[]
  /** Says what is about to be done, and then what the package manager prints. */
  readonly onProgress?: (text: string) => void
  /** When the package manager is asked to end. It ends when it can: never in the middle of a package. Default 600 000. */
  readonly timeoutMs?: number
  /** Asks the package manager to end, as the deadline does. */
  readonly signal?: AbortSignal
}

/** What installing works with; a test gives its own. */
export interface InstallDeps {
  readonly run: RunCommand
  readonly servers: ServerPackages
  readonly search: () => ServerSearch
  readonly host: HostSystem
  /** Where invoke-rc.d asks whether a service may be started. */
  readonly policyPath: string
  readonly hasSystemd: boolean
  /** Whether this unit of systemd is installed. */
  readonly hasUnit: (unit: string) => boolean
}

const defaultInstallMs = 600_000
// Asking systemd takes milliseconds.
const disableTimeoutMs = 30_000

/** Installs the servers that labs need where this user may; otherwise says what to type. Nothing is left running. */
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

/** What several installations come to: what somebody has to type is the answer as long as there is such a thing. */
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

/** Does the same with the given tools. */
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
  const told = announceInterrupt(limit)
  try {
    await apt(['apt-get', 'update'], limit, tools)
    await apt(argv, limit, tools)
  } finally {
    told()
    undo()
    const unitsNow = tools.servers.units.filter(tools.hasUnit)
    await disable(
      unitsNow.filter((unit) => !unitsBefore.includes(unit)),
      tools,
    )
  }
}

// Killed in the middle, apt leaves packages half configured, and dpkg goes on without it. SIGINT is what it is made
// for: it ends at once while it downloads, and after the package in hand while it installs.
async function apt(argv: readonly string[], limit: LimitedOptions, tools: InstallDeps): Promise<void> {
  const { timeoutMs, signal, onProgress } = limit
  signal.throwIfAborted()
  const env = { ...definedVariables(process.env), DEBIAN_FRONTEND: 'noninteractive', [installMark]: '1' }
  const command = { argv, env, stdin: '' }
  const result = await tools.run(command, { timeoutMs, signal, onOutput: onProgress, endWith: 'SIGINT' })
  if (result.status === 0) return
  signal.throwIfAborted()
  const tail = `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-5).join('\n')
  throw labError('install-failed', `${argv.join(' ')} failed; type it by hand. Its last lines:\n${tail}`)
}

// What was not here before shall neither run now nor come with the next boot.
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
    `${argv.join(' ')} failed; type it by hand: ${`${stderr}${stdout}`.trim()}`,
  )
}

// Whoever interrupts hears why nothing happens at once.
function announceInterrupt({ signal, onProgress }: LimitedOptions): () => void {
  const say = (): void =>
    onProgress?.('the package manager was asked to end; it finishes the package in hand\n')
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
  throw labError('install-failed', `${packages.join(', ')} was installed, and still not found: ${programs}`)
}

function definedVariables(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

// invoke-rc.d and deb-systemd-invoke ask this program whether a service may be started; 101 is no.
const mark = '# Written by hactl while it installs servers; may be removed.'

/** In the environment of the package manager, and so of the maintainer scripts that it runs. */
export const installMark = 'HACTL_INSTALL'

/** Answers no to nobody but the maintainer scripts of our own installation: left behind, it does no harm. */
const policy = `#!/bin/sh
${mark}
test -n "$${installMark}" && exit 101
exit 0
`

/**
 * Forbids the service starts of an installation that carries {@link installMark}; the returned function takes that
 * back. A policy of the administrator's is left to decide; one of ours, left by a process that was killed, is not.
 */
export function denyServiceStarts(path: string): () => void {
  if (existsSync(path) && !readFileSync(path, 'utf8').includes(mark)) return () => undefined
  writeFileSync(path, policy)
  chmodSync(path, 0o755)
  return () => rmSync(path, { force: true })
}

const terminationSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs work that must not be cut in the middle: a signal that would end this process aborts the signal that the work
 * gets, and ends the process when the work has ended. Whoever listens for such signals decides alone.
 */
export async function deferSignals<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupt = new AbortController()
  let caught: NodeJS.Signals | undefined
  const onSignal = (name: NodeJS.Signals): void => {
    caught ??= name
    interrupt.abort(new Error(`${name} was received`))
  }
  const unheard = terminationSignals.filter((name) => process.listenerCount(name) === 0)
  for (const name of unheard) process.on(name, onSignal)
  try {
    return await work(interrupt.signal)
  } finally {
    for (const name of unheard) process.off(name, onSignal)
    if (caught !== undefined) process.kill(process.pid, caught)
  }
}
