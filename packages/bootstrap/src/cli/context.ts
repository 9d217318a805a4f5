import { isHaError } from '@ha/core'
import { asError } from '@ha/core/driver'
import type { RecordedEvent } from '../lab/events.ts'
import { type ExitCode, exitCodeOf, exitCodes } from './exit-code.ts'
import { type Progress, progressOn, type Screen } from './progress.ts'

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
