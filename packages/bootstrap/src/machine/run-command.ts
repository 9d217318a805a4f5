import { spawn } from 'node:child_process'
import type { Command } from '../model/plan.ts'

/** How a command ended. `status` is null when it was ended by its deadline or could not be started. */
export interface CommandResult {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** What bounds a command. */
export interface CommandLimit {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Hears what the command prints, as it prints it. */
  readonly onOutput?: ((text: string) => void) | undefined
}

// A talkative command is cut, not gathered: its first two megabytes say enough.
const maxOutputBytes = 2_000_000

/** Runs a command to its end; the deadline ends it with SIGKILL. It never rejects. */
export function runCommand(command: Command, limit: CommandLimit): Promise<CommandResult> {
  const [file = '', ...args] = command.argv
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: '/',
      env: { ...command.env },
      stdio: 'pipe',
      timeout: limit.timeoutMs,
      killSignal: 'SIGKILL',
      ...(limit.signal === undefined ? {} : { signal: limit.signal }),
    })
    const output = { stdout: '', stderr: '' }
    const gather = (stream: 'stdout' | 'stderr', chunk: string): void => {
      if (output[stream].length < maxOutputBytes) output[stream] += chunk
      limit.onOutput?.(chunk)
    }
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => gather('stdout', chunk))
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => gather('stderr', chunk))
    child.once('error', (error) => resolve({ ...output, status: null, stderr: error.message }))
    child.once('close', (status) => resolve({ ...output, status }))
    // A command that ends before it has read its input breaks the pipe; its exit status tells.
    child.stdin.on('error', () => undefined).end(command.stdin)
  })
}
