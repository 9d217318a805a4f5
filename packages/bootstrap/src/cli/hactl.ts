#!/usr/bin/env node
import { asError } from '@ha/core/driver'
import { CommanderError } from 'commander'
import { ensureSupervisors } from '../client/supervisor-client.ts'
import { labError } from '../model/errors.ts'
import type { Screen } from './output.ts'
import { hactlProgram, usageText, type Verb } from './program.ts'
import { type CliStreams, confirm, exitCodes, reportError, runVerb } from './run-verb.ts'

const interrupt = new AbortController()
process.on('SIGINT', onInterrupt)
process.on('SIGTERM', onInterrupt)
// The terminal was closed.
process.on('SIGHUP', onInterrupt)
const readerLeft = new AbortController()
const argv = process.argv.slice(2)
const options = {
  // What follows `sandbox` are the arguments of another program.
  isJson: argv[0] !== 'sandbox' && argv.includes('--json'),
  signal: interrupt.signal,
  readerLeft: readerLeft.signal,
  streams: { out: screenOf(process.stdout), errors: screenOf(process.stderr), confirm } satisfies CliStreams,
}
handleOutputErrors()
process.exitCode = await main()

async function main(): Promise<number> {
  let chosen: Verb | undefined
  const program = hactlProgram((verb) => {
    chosen = verb
  })
  // Messages of commander are printed by hactl: as text, or as the one JSON document.
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeErr: () => undefined })
  }
  try {
    program.parse(argv, { from: 'user' })
  } catch (thrown) {
    return reportUsage(asError(thrown))
  }
  if (chosen === undefined) return exitCodes.usage
  const verb = chosen
  return await runVerb(async (context) => {
    await ensureSupervisors(context.signal)
    return await verb(context)
  }, options)
}

function reportUsage(error: Error): number {
  if (!(error instanceof CommanderError)) return reportError(error, options)
  if (error.exitCode === 0) return exitCodes.ok
  if (error.code === 'commander.help')
    return reportError(labError('usage', 'a verb is missing; see: hactl help'), options)
  return reportError(
    labError('usage', `${usageText(error.message)}; see: hactl help`, { cause: error }),
    options,
  )
}

// The first Ctrl-C ends the wait and cleans up; the second exits without waiting for that.
function onInterrupt(): void {
  if (interrupt.signal.aborted) process.exit(exitCodes.interrupted)
  interrupt.abort(labError('aborted', 'interrupted'))
}

// A reader such as `head` leaves when it has read enough. The verb goes on to its end, so that its exit status is right;
// one that only reads, such as `logs --follow`, is ended, since all that it does is to print.
function handleOutputErrors(): void {
  const onError = (error: NodeJS.ErrnoException): void => {
    readerLeft.abort(labError('closed', 'the reader of the output has left'))
    // The reader of a pipe has left, or the terminal was closed.
    if (error.code === 'EPIPE' || error.code === 'EIO') return
    process.stderr.write(`hactl: the output cannot be written: ${error.message}\n`)
    process.once('exit', (status) => {
      if (status === exitCodes.ok) process.exitCode = exitCodes.unhealthy
    })
  }
  process.stdout.on('error', onError)
  // A message that cannot be written has no other place.
  process.stderr.on('error', () => undefined)
}

function screenOf(stream: NodeJS.WriteStream): Screen {
  const noColor = process.env['NO_COLOR']
  return {
    write: (text) => void stream.write(text),
    isInteractive:
      stream.isTTY === true && (noColor === undefined || noColor === '') && process.env['TERM'] !== 'dumb',
  }
}
