import { createInterface } from 'node:readline/promises'
import { isHaError } from '@ha/core'
import { asError } from '@ha/core/driver'
import type { RecordedEvent } from '../lab/events.ts'
import { type BootstrapCode, labError } from '../model/errors.ts'
import { type Progress, progressOn, type Screen } from './output.ts'

/** What a verb leads to: the same thing for people and for programs. */
export interface VerbResult {
  readonly json: unknown
  readonly text: readonly string[]
  /** One of hactl's own, or that of a command that it ran. */
  readonly exitCode: number
}

/** What a verb works in. */
export interface VerbContext {
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal
  readonly isJson: boolean
  /** Shows an event to whoever waits; does nothing under --json. */
  onEvent(event: RecordedEvent): void
  /** Prints text at once, beside the answer; goes nowhere under --json. */
  print(text: string): void
  /** Asks a person; false when there is none, or under --json. */
  confirm(question: string): Promise<boolean>
}

/** Where hactl writes. */
export interface CliStreams {
  readonly out: Screen
  readonly errors: Screen
  /** Asks whoever sits at the terminal; false when nobody does. */
  readonly confirm: (question: string, signal: AbortSignal) => Promise<boolean>
}

/** Runs a verb and prints its answer: one JSON document on the output, or text for people. Returns the exit status. */
export async function runVerb(
  verb: (context: VerbContext) => Promise<VerbResult>,
  options: { readonly isJson: boolean; readonly signal: AbortSignal; readonly streams: CliStreams },
): Promise<number> {
  const { isJson, signal, streams } = options
  let progress: Progress | undefined
  const context: VerbContext = {
    signal,
    isJson,
    onEvent(event) {
      if (isJson) return
      progress ??= progressOn(streams.out)
      progress.show(event)
    },
    print(text) {
      if (!isJson) streams.out.write(text)
    },
    async confirm(question) {
      return !isJson && (await streams.confirm(question, signal))
    },
  }
  try {
    const answer = await verb(context)
    progress?.end()
    streams.out.write(isJson ? `${JSON.stringify(answer.json)}\n` : asText(answer.text))
    return answer.exitCode
  } catch (thrown) {
    progress?.end()
    return reportError(asError(thrown), options)
  }
}

/** Prints an error the way the caller reads, and returns the exit status that fits it. */
export function reportError(
  error: Error,
  options: { readonly isJson: boolean; readonly signal: AbortSignal; readonly streams: CliStreams },
): ExitCode {
  const code = options.signal.aborted ? 'aborted' : isHaError(error) ? error.code : 'internal'
  if (options.isJson) {
    options.streams.out.write(`${JSON.stringify({ error: { code, message: error.message } })}\n`)
  } else {
    options.streams.errors.write(`hactl: ${error.message}\n`)
  }
  return options.signal.aborted ? exitCodes.interrupted : exitCodeOf(code)
}

function asText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

/** What a script sees: done, not healthy, wrongly typed, refused for safety, out of time, interrupted. */
export const exitCodes = { ok: 0, unhealthy: 1, usage: 2, refused: 3, timeout: 4, interrupted: 130 } as const

/** An exit status of hactl. */
type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

// Everything that is not listed is a failure of the ordinary kind.
const byCode: Partial<Record<BootstrapCode, ExitCode>> = {
  usage: exitCodes.usage,
  'config-invalid': exitCodes.usage,
  'name-taken': exitCodes.usage,
  'node-unknown': exitCodes.usage,
  'lab-unknown': exitCodes.usage,
  'lab-ambiguous': exitCodes.usage,
  'fault-refused': exitCodes.refused,
  'recovery-refused': exitCodes.refused,
  'lab-exists': exitCodes.refused,
  'memory-short': exitCodes.refused,
  'port-taken': exitCodes.refused,
  'secret-mode': exitCodes.refused,
  'timed-out': exitCodes.timeout,
  'not-agreed': exitCodes.timeout,
  aborted: exitCodes.interrupted,
}

/** The exit status that fits an error's code. */
export function exitCodeOf(code: string): ExitCode {
  return byCode[code as BootstrapCode] ?? exitCodes.unhealthy
}

/** Asks whoever sits at the terminal; false when nobody does. Anything but a y is a no. */
export async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return false
  const lines = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const answer = await lines.question(`${question} (y/N) `, { signal })
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    lines.close()
  }
}

// What is true after an interrupt: only what waits for somebody else ends with hactl.
const interruptMessages = {
  up: 'what was begun has been undone',
  look: 'nothing was changed',
  fault: 'the fault may be in force all the same, and heals itself when its time is over; see: hactl status',
  back: 'what was asked may go on all the same; see: hactl status',
  down: 'the lab may be ending all the same; see: hactl status',
  sandbox: 'everything in the sandbox has ended',
  fix: 'the package manager does not run any more; see: hactl doctor',
} as const

/** What an interrupt leaves of a verb, by the kind of the verb. */
export type InterruptKind = keyof typeof interruptMessages

/** The same verb, which says what is true when it was interrupted. */
export function explainInterrupt(
  kind: InterruptKind,
  verb: (context: VerbContext) => Promise<VerbResult>,
): (context: VerbContext) => Promise<VerbResult> {
  return async (context) => {
    try {
      return await verb(context)
    } catch (thrown) {
      // Anything else says by itself what happened.
      if (!context.signal.aborted || thrown !== context.signal.reason) throw thrown
      throw labError('aborted', `interrupted; ${interruptMessages[kind]}`, { cause: thrown })
    }
  }
}
