import { labMark } from '../machine/marks.ts'
import { runCommand } from '../machine/run-command.ts'
import { labError } from '../model/codes.ts'
import type { Command, Plan, Step } from '../model/plan.ts'
import type { Book } from './book.ts'
import type { Members } from './members.ts'
import type { Processes } from './processes.ts'

// Three nodes take 8 s on 2 busy cores; a machine ten times slower still gets there.
const agreeTimeoutMs = 120_000
const commandTimeoutMs = 60_000

/** What forming a cluster works on. */
export interface FormingParts {
  readonly plan: Plan
  readonly book: Book
  readonly processes: Processes
  readonly members: Members
  /** Fires when the supervisor ends. */
  readonly signal: AbortSignal
}

/** Carries out the steps of a plan, one after the other. The first that fails ends it. */
export async function form(parts: FormingParts): Promise<void> {
  for (const step of parts.plan.form) {
    parts.signal.throwIfAborted()
    await carryOut(step, parts)
  }
}

async function carryOut(step: Step, parts: FormingParts): Promise<void> {
  const { book, processes, members, signal } = parts
  switch (step.do) {
    case 'start':
      book.record({ type: 'working', on: `starting ${step.processes.join(', ')}` })
      await Promise.all(step.processes.map((name) => processes.start(name, signal)))
      return
    case 'found':
      book.record({ type: 'working', on: `starting ${step.process}` })
      await processes.start(step.process, signal, step.args)
      return
    case 'agree':
      book.record({ type: 'working', on: 'asking every member for its view' })
      await members.agree(agreeTimeoutMs, signal)
      return
    case 'run':
      book.record({ type: 'working', on: step.what })
      for (const command of step.commands) await run(step.what, command, parts)
  }
}

// What it starts is known by its mark, like every process of the lab.
async function run(what: string, command: Command, { plan, signal }: FormingParts): Promise<void> {
  const marked = { ...command, env: { ...command.env, [labMark]: plan.folder } }
  const result = await runCommand(marked, { timeoutMs: commandTimeoutMs, signal })
  if (result.status === 0) return
  const said = `${result.stderr}${result.stdout}`.trim()
  throw labError('tool-failed', `${what}: ${command.argv.join(' ')} failed: ${said}`)
}
