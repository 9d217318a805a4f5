import { type ChildProcess, spawn } from 'node:child_process'
import { systemClock } from '@ha/core'
import type { Command } from '../model/plan.ts'

/** How a command ended. `status` is null when a signal ended it or it could not be started. */
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
  /**
   * What the command is sent at its deadline or when the signal fires. Default SIGKILL. SIGINT asks: the command ends
   * when it can, that is waited for, and a Ctrl-C in the terminal does not reach it by itself.
   */
  readonly endWith?: 'SIGKILL' | 'SIGINT'
}

/** Runs a command to its end; see {@link runCommand}. */
export type RunCommand = (command: Command, limit: CommandLimit) => Promise<CommandResult>

// A talkative command is cut, not gathered: its first two megabytes say enough.
const maxOutputBytes = 2_000_000

/** Runs a command and resolves when it has ended. It never rejects. */
export function runCommand(command: Command, limit: CommandLimit): Promise<CommandResult> {
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
    // A command that ends before it has read its input breaks the pipe; its exit status tells.
    child.stdin.on('error', () => undefined).end(command.stdin)
  })
}

// Returns how to let go of the clock and the signal.
function enforceLimit(child: ChildProcess, limit: CommandLimit, endWith: NodeJS.Signals): () => void {
  const end = (): void => {
    child.kill(endWith)
    if (endWith !== 'SIGKILL') return
    // What the command started may live on and hold the pipes: nobody waits for that.
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
