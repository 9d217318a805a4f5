import { appendFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Clock, isHaError } from '@ha/core'
import { asError, deferred } from '@ha/core/driver'
import type { ControlRequest } from '../lab/control-protocol.ts'
import type { Journal } from '../lab/journal.ts'
import { isDown } from '../lab/state.ts'
import { statusOf } from '../lab/status.ts'
import { removeLabFolder } from '../machine/lab-folder.ts'
import { labMark } from '../machine/process-table.ts'
import { runCommand } from '../machine/run-command.ts'
import { labError } from '../model/errors.ts'
import type { FormationStep, LabPlan, PlannedCommand } from '../model/plan.ts'
import type { SupervisorContext } from './context.ts'
import { type ClientConnection, followJournal, streamEventsDuring } from './control-server.ts'
import { FaultInjector } from './fault-injector.ts'
import { MemberRepair } from './member-repair.ts'
import { Members } from './members.ts'
import { Processes } from './processes.ts'
import { assessRecovery, bringBack, type RecoveryDeps, recover } from './recovery.ts'

// The interval at which expired faults and ended processes are looked for.
const tickMs = 200

/** Supervises one lab: its processes, its faults and its journal. */
export class Supervisor {
  readonly #plan: LabPlan
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #scope = new AbortController()
  readonly #context: SupervisorContext
  readonly #processes: Processes
  readonly #members: Members
  readonly #faults: FaultInjector
  readonly #done = deferred()

  constructor(plan: LabPlan, journal: Journal, clock: Clock) {
    this.#plan = plan
    this.#journal = journal
    this.#clock = clock
    this.#context = {
      plan,
      journal,
      clock,
      run: runCommand,
      signal: this.#scope.signal,
      fail: (error) => this.#done.reject(error),
    }
    const members = new Members(plan, journal, clock)
    const processes = new Processes(plan, journal, clock)
    const repair = new MemberRepair(this.#context, {
      probe: () => members.probe(),
      restart: (name, signal) => processes.restart(name, signal),
    })
    this.#members = members
    this.#processes = processes
    this.#faults = new FaultInjector(this.#context, { processes, repair })
  }

  /**
   * Resolves when the lab has ended or failed and none of its processes runs; rejects when this supervisor cannot go
   * on.
   */
  get done(): Promise<void> {
    return this.#done.promise
  }

  /** Takes over the lab: heals expired faults, then does what a new lab needs. */
  start(): void {
    const { state, events } = this.#journal
    this.#processes.adoptRunning()
    this.#faults.healExpired()
    this.#tickUntilClosed().catch(this.#context.fail)
    if (state.phase.kind === 'formed') this.#faults.watchAllMembers()
    if (state.phase.kind !== 'forming') return
    const isNew = events.every((event) => event.type === 'planned' || event.type === 'supervised')
    this.#form(isNew).catch(this.#context.fail)
  }

  /** Answers one request. */
  answer(request: ControlRequest, client: ClientConnection): Promise<unknown> {
    switch (request.verb) {
      case 'status':
        return this.#members.probe().then((answers) => statusOf(this.#plan, this.#journal.state, answers))
      case 'formed':
        return followJournal(
          this.#journal,
          client,
          (event) => event.type === 'formed' || event.type === 'failed',
        )
      case 'follow':
        return followJournal(this.#journal, client, (event) => event.type === 'ended')
      case 'ready':
        return streamEventsDuring(this.#journal, client, () =>
          this.#members.waitForAgreement(request.timeoutMs, client.signal),
        )
      case 'fault':
        return this.#faults.inject(request)
      case 'resume':
        return streamEventsDuring(this.#journal, client, () => this.#resume(request.node))
      case 'bring-back':
        return streamEventsDuring(this.#journal, client, async () => {
          await this.#bringBack()
          await this.#members.waitForAgreement(request.timeoutMs, client.signal)
        })
      case 'restart':
        return streamEventsDuring(this.#journal, client, () => this.#faults.restart(request.node))
      case 'consider':
        return assessRecovery(this.#recoveryDeps(), request.assumeLost)
      case 'recover':
        return streamEventsDuring(this.#journal, client, () =>
          this.#faults.exclusively(() => recover(this.#recoveryDeps(), request.assumeLost)),
        )
      case 'down':
        return this.#down()
    }
  }

  // A node of a cluster that went down as a whole does not come up alone: it waits for the others.
  #resume(node: string): Promise<void> {
    const isKnown = this.#plan.nodes.some(({ name }) => name === node)
    const isWhole = isKnown && this.#plan.recovery === null && isDown(this.#plan, this.#journal.state)
    return isWhole ? this.#bringBack() : this.#faults.heal(node)
  }

  async #bringBack(): Promise<void> {
    await this.#faults.exclusively(() => bringBack(this.#recoveryDeps()))
    this.#faults.watchAllMembers()
  }

  #recoveryDeps(): RecoveryDeps {
    return { ...this.#context, processes: this.#processes }
  }

  async #tickUntilClosed(): Promise<void> {
    while (!this.#scope.signal.aborted) {
      this.#processes.recordEnded()
      this.#faults.healExpired()
      await this.#clock.sleep(tickMs)
    }
  }

  async #form(isNew: boolean): Promise<void> {
    const begun = this.#clock.now()
    try {
      if (!isNew) throw labError('supervisor-lost', 'the supervisor ended before the lab had formed')
      await formCluster({ ...this.#context, processes: this.#processes, members: this.#members })
      this.#journal.record({ type: 'formed', elapsedMs: Math.round(this.#clock.now() - begun) })
    } catch (thrown) {
      if (this.#scope.signal.aborted) return
      this.#scope.abort(thrown)
      await this.#processes.endAll()
      const error = asError(thrown)
      const code = isHaError(error) ? error.code : 'internal'
      this.#journal.record({ type: 'failed', code, message: error.message })
      this.#done.resolve()
    }
  }

  async #down(): Promise<void> {
    this.#scope.abort(labError('closed', `${this.#plan.lab} is being ended`))
    try {
      await this.#processes.endAll()
      this.#journal.record({ type: 'ended' })
      removeLabFolder(this.#plan.folder)
      this.#done.resolve()
    } catch (thrown) {
      // This supervisor cannot go on; the next request starts another one, or removes the lab without one.
      this.#context.fail(asError(thrown))
      throw thrown
    }
  }
}

// Three nodes take 8 s on 2 busy cores; a machine that is ten times slower still succeeds.
const agreeTimeoutMs = 120_000
const commandTimeoutMs = 60_000
// Longer than the interval at which ended processes are looked for.
const secondLookMs = 250

/** What forming a cluster works with. */
interface FormationDeps {
  readonly plan: LabPlan
  readonly journal: Journal
  readonly clock: Clock
  readonly processes: Processes
  readonly members: Members
  /** Aborted when the supervisor ends. */
  readonly signal: AbortSignal
}

/** Executes the steps of a plan in order. The first failure ends it. */
async function formCluster(deps: FormationDeps): Promise<void> {
  for (const step of deps.plan.form) {
    deps.signal.throwIfAborted()
    await runStep(step, deps)
  }
}

async function runStep(step: FormationStep, deps: FormationDeps): Promise<void> {
  const { journal, clock, processes, members, signal } = deps
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
      journal.record({ type: 'working', on: 'waiting until all members agree' })
      await members.waitForAgreement(agreeTimeoutMs, signal)
      // What has agreed may have been ended by the kernel since, for want of memory.
      await clock.sleep(secondLookMs, signal)
      await members.waitForAgreement(agreeTimeoutMs, signal)
      return
    case 'run':
      journal.record({ type: 'working', on: step.what })
      for (const command of step.commands) await runStepCommand(step.what, command, deps)
  }
}

// A process that the command starts carries the mark of the lab, like every process of the lab.
async function runStepCommand(
  what: string,
  command: PlannedCommand,
  { plan, signal }: FormationDeps,
): Promise<void> {
  const marked = { ...command, env: { ...command.env, [labMark]: plan.folder } }
  const result = await runCommand(marked, { timeoutMs: commandTimeoutMs, signal })
  if (result.status === 0) return
  const output = `${result.stderr}${result.stdout}`.trim()
  const log = join(plan.folder, 'tools.log')
  appendFileSync(log, `${command.argv.join(' ')}\n${output}\n`, { mode: 0o600 })
  throw labError(
    'tool-failed',
    `${what}: ${basename(command.argv[0] ?? '')} failed: ${shortOutput(output)}; the whole output is in ${log}`,
  )
}

const shownLines = 6
const shownLetters = 600

// The first lines name the cause, the last ones the consequence; programs print pages of advice in between.
function shortOutput(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  const telling = lines.filter((line) => /error|fail|cannot|denied|no space|invalid/i.test(line))
  return (telling.length > 0 ? telling : lines).slice(0, shownLines).join('\n').slice(0, shownLetters)
}
