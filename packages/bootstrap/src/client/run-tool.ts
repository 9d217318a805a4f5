import { runCommand } from '../machine/run-command.ts'
import { labError } from '../model/codes.ts'
import { checkWaitMs } from '../model/limits.ts'
import type { PlannedNode } from '../model/plan.ts'
import { defaultWaitMs, type WaitOptions } from './lab-options.ts'

/** Runs the administration tool of a node with these arguments and returns what it printed. */
export async function runTool(
  { name, ctl }: Pick<PlannedNode, 'name' | 'ctl'>,
  args: readonly string[],
  options: WaitOptions,
): Promise<string> {
  if (ctl === null) throw labError('tool-failed', `${name} has no administration tool: it has no data`)
  const timeoutMs = checkWaitMs(options.timeoutMs, 'ctl.timeoutMs', defaultWaitMs)
  const limit = { timeoutMs, signal: options.signal }
  const result = await runCommand({ ...ctl, argv: [...ctl.argv, ...args] }, limit)
  options.signal?.throwIfAborted()
  if (result.status === 0) return result.stdout
  const said = `${result.stderr}${result.stdout}`.trim()
  throw labError('tool-failed', `ctl ${args.join(' ')} on ${name} failed: ${said}`)
}
