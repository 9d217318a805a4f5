import { type Clock, isHaError } from '@ha/core'
import { asError, deferred } from '@ha/core/driver'
import type { Recorded } from '../lab/events.ts'
import type { Request } from '../lab/wire.ts'
import { removeLabFolder } from '../machine/aside.ts'
import { runCommand } from '../machine/run-command.ts'
import type { Answer } from '../model/agreement.ts'
import { type BootstrapCode, labError } from '../model/codes.ts'
import type { Plan } from '../model/plan.ts'
import { Aftercare } from './aftercare.ts'
import type { Book } from './book.ts'
import { type FormingParts, form } from './forming.ts'
import { type LeverParts, Levers } from './levers.ts'
import { Members } from './members.ts'
import { Processes } from './processes.ts'
import { considerRecovery, type RecoveryParts, recover } from './recovery.ts'
import { statusOf } from './status.ts'

// How soon a due lease or an unexpected end is noticed.
const rhythmMs = 200

/** How a request talks back while it is under way. */
export interface Conversation {
  send(event: Recorded): void
  /** Fires when the client has left. */
  readonly signal: AbortSignal
}

/** Looks after one lab: its processes, its leases, its journal. */
export class Supervisor {
  readonly #plan: Plan
  readonly #book: Book
  readonly #clock: Clock
  readonly #life = new AbortController()
  readonly #parts: FormingParts & Pick<LeverParts, 'fail'>
  readonly #levers: Levers
  readonly #done = deferred()

  constructor(plan: Plan, book: Book, clock: Clock) {
    this.#plan = plan
    this.#book = book
    this.#clock = clock
    const members = new Members(plan, book, clock)
    const common = { plan, book, signal: this.#life.signal, fail: (error: Error) => this.#done.reject(error) }
    const processes = new Processes(plan, book, clock)
    const ask = (): Promise<readonly Answer[]> => members.ask()
    const restart = (name: string, signal: AbortSignal): Promise<void> => processes.restart(name, signal)
    const aftercare = new Aftercare({ ...common, clock, ask, run: runCommand, restart })
    this.#parts = { ...common, processes, members }
    this.#levers = new Levers({ ...this.#parts, aftercare, run: runCommand })
  }

  /** Resolves when the lab has ended or failed and nothing of it runs; rejects when this cannot look after it. */
  get done(): Promise<void> {
    return this.#done.promise
  }

  /** Takes over: overdue leases first, then what a new lab needs. */
  begin(): void {
    const { state, events } = this.#book
    this.#parts.processes.adopt()
    this.#levers.healOverdue(Date.now())
    this.#keepRhythm().catch(this.#parts.fail)
    if (state.phase.kind === 'formed') this.#levers.lookAfterAll()
    if (state.phase.kind !== 'forming') return
    const isNew = events.every((event) => event.type === 'planned' || event.type === 'supervised')
    this.#form(isNew).catch(this.#parts.fail)
  }

  /** Answers one request. */
  answer(request: Request, talk: Conversation): Promise<unknown> {
    switch (request.verb) {
      case 'status':
        return this.#parts.members.ask().then((answers) => statusOf(this.#plan, this.#book.state, answers))
      case 'formed':
        return this.#follow(talk, (event) => event.type === 'formed' || event.type === 'failed')
      case 'follow':
        return this.#follow(talk, (event) => event.type === 'ended')
      case 'ready':
        return this.#aloud(talk, () => this.#parts.members.agree(request.timeoutMs, talk.signal))
      case 'fault':
        return this.#levers.pull(request)
      case 'resume':
        return this.#aloud(talk, () => this.#levers.heal(request.node))
      case 'restart':
        return this.#aloud(talk, () => this.#levers.restart(request.node))
      case 'consider':
        return considerRecovery(this.#recovery(), request.assumeLost)
      case 'recover':
        return this.#aloud(talk, () =>
          this.#levers.exclusively(() => recover(this.#recovery(), request.assumeLost)),
        )
      case 'down':
        return this.#down()
    }
  }

  #recovery(): RecoveryParts {
    return { ...this.#parts, clock: this.#clock, run: runCommand }
  }

  async #keepRhythm(): Promise<void> {
    while (!this.#life.signal.aborted) {
      this.#parts.processes.noteEnded()
      this.#levers.healOverdue(Date.now())
      await this.#clock.sleep(rhythmMs)
    }
  }

  async #form(isNew: boolean): Promise<void> {
    const begun = this.#clock.now()
    try {
      if (!isNew) throw labError('supervisor-lost', 'the supervisor ended while the lab was forming')
      await form(this.#parts)
      this.#book.record({ type: 'formed', elapsedMs: Math.round(this.#clock.now() - begun) })
    } catch (thrown) {
      if (this.#life.signal.aborted) return
      this.#life.abort(thrown)
      await this.#parts.processes.endAll()
      const error = asError(thrown)
      const code = isHaError(error) ? error.code : 'internal'
      this.#book.record({ type: 'failed', code, message: error.message })
      this.#done.resolve()
    }
  }

  async #follow(talk: Conversation, isLast: (event: Recorded) => boolean): Promise<void> {
    const last = deferred<Recorded>()
    const hear = (event: Recorded): void => {
      talk.send(event)
      if (isLast(event)) last.resolve(event)
    }
    for (const event of this.#book.events) hear(event)
    const off = this.#book.onEvent(hear)
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
  async #aloud<T>(talk: Conversation, work: () => Promise<T>): Promise<T> {
    const off = this.#book.onEvent((event) => talk.send(event))
    try {
      return await work()
    } finally {
      off()
    }
  }

  async #down(): Promise<void> {
    this.#life.abort(labError('closed', `${this.#plan.lab} is being ended`))
    try {
      await this.#parts.processes.endAll()
      this.#book.record({ type: 'ended' })
      removeLabFolder(this.#plan.folder)
      this.#done.resolve()
    } catch (thrown) {
      // Its life is over all the same: whoever asks again gets another supervisor, or does without.
      this.#parts.fail(asError(thrown))
      throw thrown
    }
  }
}
