import { type Clock, isHaError } from '@ha/core'
import { asError, deferred } from '@ha/core/driver'
import type { RecordedEvent } from '../lab/events.ts'
import type { Journal } from '../lab/journal.ts'
import type { Request } from '../lab/protocol.ts'
import { statusOf } from '../lab/status.ts'
import { removeLabFolder } from '../machine/lab-folder.ts'
import { labMark } from '../machine/process-table.ts'
import { runCommand } from '../machine/run-command.ts'
import { type BootstrapCode, labError } from '../model/errors.ts'
import type { MemberAnswer } from '../model/membership.ts'
import type { Command, Plan, Step } from '../model/plan.ts'
import { FaultInjector, type FaultInjectorDeps } from './fault-injector.ts'
import { MemberRepair } from './member-repair.ts'
import { Members } from './members.ts'
import { Processes } from './processes.ts'
import { assessRecovery, type RecoveryDeps, recover } from './recovery.ts'

// How soon a due lease or an unexpected end is noticed.
const tickMs = 200

/** How a request talks back while it is under way. */
export interface ClientConnection {
  send(event: RecordedEvent): void
  /** Fires when the client has left. */
  readonly signal: AbortSignal
}

/** Looks after one lab: its processes, its leases, its journal. */
export class Supervisor {
  readonly #plan: Plan
  readonly #journal: Journal
  readonly #clock: Clock
  readonly #scope = new AbortController()
  readonly #parts: FormationDeps & Pick<FaultInjectorDeps, 'fail'>
  readonly #faults: FaultInjector
  readonly #done = deferred()

  constructor(plan: Plan, journal: Journal, clock: Clock) {
    this.#plan = plan
    this.#journal = journal
    this.#clock = clock
    const members = new Members(plan, journal, clock)
    const common = {
      plan,
      journal,
      signal: this.#scope.signal,
      fail: (error: Error) => this.#done.reject(error),
    }
    const processes = new Processes(plan, journal, clock)
    const ask = (): Promise<readonly MemberAnswer[]> => members.probe()
    const restart = (name: string, signal: AbortSignal): Promise<void> => processes.restart(name, signal)
    const repair = new MemberRepair({ ...common, clock, ask, run: runCommand, restart })
    this.#parts = { ...common, processes, members }
    this.#faults = new FaultInjector({ ...this.#parts, repair, run: runCommand })
  }

  /** Resolves when the lab has ended or failed and nothing of it runs; rejects when this cannot look after it. */
  get done(): Promise<void> {
    return this.#done.promise
  }

  /** Takes over: overdue leases first, then what a new lab needs. */
  start(): void {
    const { state, events } = this.#journal
    this.#parts.processes.adoptRunning()
    this.#faults.healExpired(Date.now())
    this.#tickUntilClosed().catch(this.#parts.fail)
    if (state.phase.kind === 'formed') this.#faults.watchAllMembers()
    if (state.phase.kind !== 'forming') return
    const isNew = events.every((event) => event.type === 'planned' || event.type === 'supervised')
    this.#form(isNew).catch(this.#parts.fail)
  }

  /** Answers one request. */
  answer(request: Request, talk: ClientConnection): Promise<unknown> {
    switch (request.verb) {
      case 'status':
        return this.#parts.members
          .probe()
          .then((answers) => statusOf(this.#plan, this.#journal.state, answers))
      case 'formed':
        return this.#follow(talk, (event) => event.type === 'formed' || event.type === 'failed')
      case 'follow':
        return this.#follow(talk, (event) => event.type === 'ended')
      case 'ready':
        return this.#withEvents(talk, () =>
          this.#parts.members.waitForAgreement(request.timeoutMs, talk.signal),
        )
      case 'fault':
        return this.#faults.inject(request)
      case 'resume':
        return this.#withEvents(talk, () => this.#faults.heal(request.node))
      case 'restart':
        return this.#withEvents(talk, () => this.#faults.restart(request.node))
      case 'consider':
        return assessRecovery(this.#recoveryDeps(), request.assumeLost)
      case 'recover':
        return this.#withEvents(talk, () =>
          this.#faults.exclusively(() => recover(this.#recoveryDeps(), request.assumeLost)),
        )
      case 'down':
        return this.#down()
    }
  }

  #recoveryDeps(): RecoveryDeps {
    return { ...this.#parts, clock: this.#clock, run: runCommand }
  }

  async #tickUntilClosed(): Promise<void> {
    while (!this.#scope.signal.aborted) {
      this.#parts.processes.recordEnded()
      this.#faults.healExpired(Date.now())
      await this.#clock.sleep(tickMs)
    }
  }

  async #form(isNew: boolean): Promise<void> {
    const begun = this.#clock.now()
    try {
      if (!isNew) throw labError('supervisor-lost', 'the supervisor ended while the lab was forming')
      await formCluster(this.#parts)
      this.#journal.record({ type: 'formed', elapsedMs: Math.round(this.#clock.now() - begun) })
    } catch (thrown) {
      if (this.#scope.signal.aborted) return
      this.#scope.abort(thrown)
      await this.#parts.processes.endAll()
      const error = asError(thrown)
      const code = isHaError(error) ? error.code : 'internal'
      this.#journal.record({ type: 'failed', code, message: error.message })
      this.#done.resolve()
    }
  }

  async #follow(talk: ClientConnection, isLast: (event: RecordedEvent) => boolean): Promise<void> {
    const last = deferred<RecordedEvent>()
    const hear = (event: RecordedEvent): void => {
      talk.send(event)
      if (isLast(event)) last.resolve(event)
    }
    for (const event of this.#journal.events) hear(event)
    const off = this.#journal.onEvent(hear)
    const leave = (): void => last.reject(talk.signal.reason)
    talk.signal.addEventListener('abort', leave, { once: true })
    try {
      const event = await last.promise
      if (event.type === 'failed') throw labError(event.code as BootstrapCode, event.message)
    } finally {
      off()
      talk.signal.removeEventListener('abort', leave)
    }
  }

  // The client hears what happens while it waits.
  async #withEvents<T>(talk: ClientConnection, work: () => Promise<T>): Promise<T> {
    const off = this.#journal.onEvent((event) => talk.send(event))
    try {
      return await work()
    } finally {
      off()
    }
  }

  async #down(): Promise<void> {
    this.#scope.abort(labError('closed', `${this.#plan.lab} is being ended`))
    try {
      await this.#parts.processes.endAll()
      this.#journal.record({ type: 'ended' })
      removeLabFolder(this.#plan.folder)
      this.#done.resolve()
    } catch (thrown) {
      // Its life is over all the same: whoever asks again gets another supervisor, or does without.
      this.#parts.fail(asError(thrown))
      throw thrown
    }
  }
}

// Three nodes take 8 s on 2 busy cores; a machine ten times slower still gets there.
const agreeTimeoutMs = 120_000
const commandTimeoutMs = 60_000

/** What forming a cluster works on. */
interface FormationDeps {
  readonly plan: Plan
  readonly journal: Journal
  readonly processes: Processes
  readonly members: Members
  /** Fires when the supervisor ends. */
  readonly signal: AbortSignal
}

/** Carries out the steps of a plan, one after the other. The first that fails ends it. */
async function formCluster(parts: FormationDeps): Promise<void> {
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
