import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { findRabbit } from '../machine/rabbit-programs.ts'
import { type CommandLimit, type CommandResult, runCommand } from '../machine/run-command.ts'
import { labError } from '../model/codes.ts'
import type { Command } from '../model/plan.ts'
import { lookAtHost } from './doctor.ts'
import { chooseInstall, type InstallChoice } from './install-command.ts'

/** What installing did, or what somebody has to type. */
export type InstallOutcome =
  | { readonly kind: 'complete' }
  | { readonly kind: 'installed'; readonly packages: readonly string[] }
  | { readonly kind: 'ask'; readonly packages: readonly string[]; readonly command: string }

/** Who hears the package manager, and how long it may take. */
export interface InstallOptions {
  /** Says what is about to be done, and then what the package manager prints. */
  readonly onProgress?: (text: string) => void
  /** Default 600 000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** What installing works with; a test gives its own. */
export interface InstallTools {
  readonly run: (command: Command, limit: CommandLimit) => Promise<CommandResult>
  /** Where invoke-rc.d asks whether a service may be started. */
  readonly policyPath: string
  readonly hasSystemd: boolean
}

const defaultInstallMs = 600_000

/** Installs the servers that labs need where this user may; otherwise says what to type. Nothing is left running. */
export async function installServers(options: InstallOptions = {}): Promise<InstallOutcome> {
  const search = findRabbit(process.env)
  const choice = chooseInstall(search.kind === 'found' ? [] : search.programs, lookAtHost())
  return await carryOutInstall(choice, options, {
    run: runCommand,
    policyPath: '/usr/sbin/policy-rc.d',
    hasSystemd: existsSync('/run/systemd/system'),
  })
}

/** Carries an install choice out with the given tools. */
export async function carryOutInstall(
  choice: InstallChoice,
  options: InstallOptions,
  tools: InstallTools,
): Promise<InstallOutcome> {
  if (choice.kind !== 'can-install') return choice
  options.onProgress?.(`installing ${choice.packages.join(', ')}: ${choice.argv.join(' ')}\n`)
  const undo = forbidServiceStarts(tools.policyPath)
  try {
    await apt(['apt-get', 'update'], options, tools)
    await apt(choice.argv, options, tools)
    // The package was not here before: its service shall not come with the next boot either.
    if (tools.hasSystemd) await apt(['systemctl', 'disable', ...choice.packages], options, tools)
  } finally {
    undo()
  }
  return { kind: 'installed', packages: choice.packages }
}

async function apt(argv: readonly string[], options: InstallOptions, tools: InstallTools): Promise<void> {
  const env = { ...definedOf(process.env), DEBIAN_FRONTEND: 'noninteractive' }
  const result = await tools.run(
    { argv, env, stdin: '' },
    {
      timeoutMs: options.timeoutMs ?? defaultInstallMs,
      signal: options.signal,
      onOutput: options.onProgress,
    },
  )
  if (result.status === 0) return
  const tail = `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-5).join('\n')
  throw labError('install-failed', `${argv.join(' ')} failed; type it by hand. Its last lines:\n${tail}`)
}

// invoke-rc.d starts no service while this program answers 101. One that is there already is left to decide.
function forbidServiceStarts(path: string): () => void {
  if (existsSync(path)) return () => undefined
  writeFileSync(path, '#!/bin/sh\nexit 101\n')
  chmodSync(path, 0o755)
  return () => rmSync(path, { force: true })
}

function definedOf(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}
