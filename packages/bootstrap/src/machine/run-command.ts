import { type ChildProcess, spawn } from 'node:child_process'
import { systemClock } from '@ha/core'
import type { PlannedCommand } from '../model/plan.ts'

/** The result of a command. `status` is null when a signal ended it or when it could not be started. */
export interface CommandResult {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The limits of a command. */
export interface CommandLimit {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Called with the output of the command as it arrives. */
  readonly onOutput?: ((text: string) => void) | undefined
  /**
   * The signal that is sent at the deadline or on abort. Default SIGKILL. SIGINT is a request: the command ends when
   * it can, the call waits for that, and a Ctrl-C in the terminal does not reach the command by itself.
   */
  readonly endWith?: 'SIGKILL' | 'SIGINT'
}

/** Runs a command to its end; see {@link runCommand}. */
export type RunCommand = (command: PlannedCommand, limit: CommandLimit) => Promise<CommandResult>

// Output beyond two megabytes is discarded.
const maxOutputBytes = 2_000_000

/** Runs a command and resolves when it has ended. It never rejects. */
export function runCommand(command: PlannedCommand, limit: CommandLimit): Promise<CommandResult> {
  const [file = '', ...args] = command.argv
  const endWith = limit.endWith ?? 'SIGKILL'
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: '/',
      env: { ...command.env },
      stdio: 'pipe',
      detached: endWith === 'SIGINT',
    })
    const output = { stdout: '', stderr: '' }
    const gather = (stream: 'stdout' | 'stderr', chunk: string): void => {
      if (output[stream].length < maxOutputBytes) output[stream] += chunk
      limit.onOutput?.(chunk)
    }
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => gather('stdout', chunk))
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => gather('stderr', chunk))
    const release = enforceLimit(child, limit, endWith)
    child.once('error', (error) => {
      release()
      resolve({ ...output, status: null, stderr: error.message })
    })
    child.once('close', (status) => {
      release()
      resolve({ ...output, status })
    })
    // A command that ends before it has read its input breaks the pipe; its exit status reports the reason.
    child.stdin.on('error', () => undefined).end(command.stdin)
  })
}

// Returns a function that cancels the timer and removes the listener.
function enforceLimit(child: ChildProcess, limit: CommandLimit, endWith: NodeJS.Signals): () => void {
  const end = (): void => {
    child.kill(endWith)
    if (endWith !== 'SIGKILL') return
    // Programs that the command started may live on and hold the pipes; the call does not wait for them.
    child.stdout?.destroy()
    child.stderr?.destroy()
  }
  const cancel = systemClock.after(limit.timeoutMs, end)
  limit.signal?.addEventListener('abort', end, { once: true })
  if (limit.signal?.aborted === true) end()
  return () => {
    cancel()
    limit.signal?.removeEventListener('abort', end)
  }
}
