import { createInterface } from 'node:readline/promises'
import { isHaError } from '@ha/core'
import { asError } from '@ha/core/driver'
import type { RecordedEvent } from '../lab/events.ts'
import { type BootstrapCode, labError } from '../model/errors.ts'
import { type Progress, progressOn, type Screen } from './output.ts'

/** The result of a verb, for people and for programs. */
export interface VerbResult {
  readonly json: unknown
  readonly text: readonly string[]
  /** One of hactl's own, or that of a command that it ran. */
  readonly exitCode: number
}

/** What a verb works with. */
export interface VerbContext {
  /** Aborted on Ctrl-C. */
  readonly signal: AbortSignal
  /** Aborted when the reader of the output has left. */
  readonly readerLeft: AbortSignal
  readonly isJson: boolean
  /** Shows an event during a wait; does nothing under --json. */
  onEvent(event: RecordedEvent): void
  /** Prints text at once, before the result; does nothing under --json. */
  print(text: string): void
  /** Asks the user; false when there is no terminal, or under --json. */
  confirm(question: string): Promise<boolean>
}

/** The streams of hactl. */
export interface CliStreams {
  readonly out: Screen
  readonly errors: Screen
  /** Asks the user; false when there is no terminal. */
  readonly confirm: (question: string, signal: AbortSignal) => Promise<boolean>
}

/** How a verb is run. */
interface RunOptions {
  readonly isJson: boolean
  readonly signal: AbortSignal
  /** Aborted when the reader of the output has left. Default never. */
  readonly readerLeft?: AbortSignal
  readonly streams: CliStreams
}

/** Runs a verb and prints its result: one JSON document, or text. Returns the exit status. */
export async function runVerb(
  verb: (context: VerbContext) => Promise<VerbResult>,
  options: RunOptions,
): Promise<number> {
  const { isJson, signal, streams } = options
  const readerLeft = options.readerLeft ?? new AbortController().signal
  let progress: Progress | undefined
  const context: VerbContext = {
    signal,
    readerLeft,
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

/** Prints an error as text or as JSON, and returns its exit status. */
export function reportError(error: Error, options: RunOptions): ExitCode {
  const code = options.signal.aborted ? 'aborted' : codeOf(error)
  if (options.isJson) {
    options.streams.out.write(`${JSON.stringify({ error: { code, message: error.message } })}\n`)
  } else {
    options.streams.errors.write(`hactl: ${error.message}\n`)
  }
  return options.signal.aborted ? exitCodes.interrupted : exitCodeOf(code)
}

/** The code of an error, for programs. */
export function codeOf(error: Error): string {
  return isHaError(error) ? error.code : 'internal'
}

function asText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

/** The exit status: success, unhealthy, wrong usage, refused for safety, timed out, interrupted. */
export const exitCodes = { ok: 0, unhealthy: 1, usage: 2, refused: 3, timeout: 4, interrupted: 130 } as const

/** An exit status of hactl. */
type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

// Codes that are not listed are ordinary failures.
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
  'disk-short': exitCodes.refused,
  'port-taken': exitCodes.refused,
  'secret-mode': exitCodes.refused,
  'timed-out': exitCodes.timeout,
  'not-agreed': exitCodes.timeout,
  aborted: exitCodes.interrupted,
}

/** The exit status for the code of an error. */
export function exitCodeOf(code: string): ExitCode {
  return byCode[code as BootstrapCode] ?? exitCodes.unhealthy
}

/** Asks the user at the terminal; false when there is none. Any answer but y or yes is a no. */
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

// What holds after an interrupt, which ends only waits of hactl itself.
const interruptMessages = {
  up: 'the start was undone',
  look: 'nothing was changed',
  fault: 'the fault may still be in force until its deadline; see: hactl status',
  back: 'the operation may still be in progress; see: hactl status',
  down: 'the lab may still be ending; see: hactl status',
  sandbox: 'everything in the sandbox has ended',
  fix: 'the package manager has ended; see: hactl doctor',
} as const

/** The effect of an interrupt on a verb. */
export type InterruptKind = keyof typeof interruptMessages

/** Wraps a verb so that the error after an interrupt states what holds. */
export function explainInterrupt(
  kind: InterruptKind,
  verb: (context: VerbContext) => Promise<VerbResult>,
): (context: VerbContext) => Promise<VerbResult> {
  return async (context) => {
    try {
      return await verb(context)
    } catch (thrown) {
      // Any other error explains itself.
      if (!context.signal.aborted || thrown !== context.signal.reason) throw thrown
      throw labError('aborted', `interrupted; ${interruptMessages[kind]}`, { cause: thrown })
    }
  }
}
