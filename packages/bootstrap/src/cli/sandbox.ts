import { runInSandbox } from '../sandbox/sandbox.ts'
import type { VerbContext, VerbResult } from './context.ts'

/** Runs a command in a sandbox; what it prints is its own, and so is the exit status. */
export async function sandbox(command: readonly string[], { signal }: VerbContext): Promise<VerbResult> {
  const exitCode = await runInSandbox(command, signal)
  return { json: { exitCode }, text: [], exitCode }
}
