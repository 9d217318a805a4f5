import { runInSandbox } from '../sandbox/sandbox.ts'
import type { Answer, Context } from './context.ts'

/** Runs a command in a sandbox; what it prints is its own, and so is the exit status. */
export async function sandbox(command: readonly string[], { signal }: Context): Promise<Answer> {
  const exitCode = await runInSandbox(command, signal)
  return { json: { exitCode }, text: [], exitCode }
}
