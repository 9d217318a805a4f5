import { labMark } from '../machine/marks.ts'
import { runCommand } from '../machine/run-command.ts'
import { labError } from '../model/codes.ts'
import type { Command, Plan, Step } from '../model/plan.ts'
import type { Journal } from './book.ts'
import type { Members } from './members.ts'
import type { Processes } from './processes.ts'

// Three nodes take 8 s on 2 busy cores; a machine ten times slower still gets there.
const agreeTimeoutMs = 120_000
const commandTimeoutMs = 60_000

/** What forming a cluster works on. */
export interface FormationDeps {
  readonly plan: Plan
  readonly journal: Journal
  readonly processes: Processes
  readonly members: Members
  /** Fires when the supervisor ends. */
  readonly signal: AbortSignal
}

/** Carries out the steps of a plan, one after the other. The first that fails ends it. */
export async function formCluster(parts: FormationDeps): Promise<void> {
  for (const step of parts.plan.form) {
    parts.signal.throwIfAborted()
    await runStep(step, parts)
  }
}

async function runStep(step: Step, parts: FormationDeps): Promise<void> {
  const { journal, processes, members, signal } = parts
  switch (step.do) {
    case 'start':
      journal.record({ type: 'working', on: `starting ${step.processes.join(', ')}` })
      await Promise.all(step.processes.map((name) => processes.start(name, signal)))
      return
    case 'found':
      journal.record({ type: 'working', on: `starting ${step.process}` })
      await processes.start(step.process, signal, step.args)
      return
    case 'agree':
      journal.record({ type: 'working', on: 'asking every member for its view' })
      await members.waitForAgreement(agreeTimeoutMs, signal)
      return
    case 'run':
      journal.record({ type: 'working', on: step.what })
      for (const command of step.commands) await runStepCommand(step.what, command, parts)
  }
}

// What it starts is known by its mark, like every process of the lab.
async function runStepCommand(
  what: string,
  command: Command,
  { plan, signal }: FormationDeps,
): Promise<void> {
  const marked = { ...command, env: { ...command.env, [labMark]: plan.folder } }
  const result = await runCommand(marked, { timeoutMs: commandTimeoutMs, signal })
  if (result.status === 0) return
  const said = `${result.stderr}${result.stdout}`.trim()
  throw labError('tool-failed', `${what}: ${command.argv.join(' ')} failed: ${said}`)
}
