import { asError } from '@ha/core'
import type { Fault } from '../lab/events.ts'
import { type FaultRequest, grantFault, overdue } from '../lab/faults.ts'
import { processOf } from '../lab/state.ts'
import { signal } from '../machine/process-table.ts'
import type { Plan, PlannedNode } from '../model/plan.ts'
import { unknownNode } from '../model/unknown-node.ts'
import type { Book } from './book.ts'
import { Lanes } from './lanes.ts'
import type { Members } from './members.ts'
import type { Processes } from './processes.ts'

// A node that does not come back is tried again, and not so often that its attempts are the load.
const retryHealMs = 5000

/** What the levers work on. */
export interface LeverParts {
  readonly plan: Plan
  readonly book: Book
  readonly processes: Processes
  readonly members: Members
  /** Fires when the supervisor ends. */
  readonly signal: AbortSignal
}

/** Breaks nodes and heals them. The lease is written down before the lever is pulled, so that a crash cannot lose it. */
export class Levers {
  readonly #parts: LeverParts
  readonly #lanes = new Lanes()
  readonly #retryAt = new Map<string, number>()
  readonly #healing = new Set<string>()

  constructor(parts: LeverParts) {
    this.#parts = parts
  }

  /** Grants a fault and pulls its lever. */
  pull(request: FaultRequest): Promise<Fault> {
    const node = this.#node(request.node)
    return this.#lanes.run(node.name, async () => {
      const { book, processes } = this.#parts
      const fault = grantFault(book.state, request, Date.now())
      book.record({ type: 'fault-begun', fault })
      if (fault.action === 'kill') await processes.end(node.name, 'SIGKILL')
      if (fault.action === 'stop') await processes.end(node.name, 'SIGTERM')
      if (fault.action === 'pause') this.#signal(node, 'SIGSTOP')
      return fault
    })
  }

  /** Heals a node before its time, whatever its fault; a node that ended by itself is started. */
  heal(name: string): Promise<void> {
    const node = this.#node(name)
    return this.#lanes.run(name, () => this.#restore(node, 'asked'))
  }

  /** Heals a node, then stops it gracefully and starts it again. */
  restart(name: string): Promise<void> {
    const node = this.#node(name)
    return this.#lanes.run(name, async () => {
      await this.#restore(node, 'asked')
      await this.#parts.processes.end(name, 'SIGTERM')
      await this.#parts.processes.start(name, this.#parts.signal)
    })
  }

  /** Begins to heal every fault whose time is over. */
  healOverdue(now: number): void {
    for (const { node } of overdue(this.#parts.book.state, now)) {
      if (this.#healing.has(node) || now < (this.#retryAt.get(node) ?? 0)) continue
      this.#healing.add(node)
      void this.#lanes
        .run(node, () => this.#restoreIfOverdue(node))
        .catch((error: unknown) => {
          this.#retryAt.set(node, Date.now() + retryHealMs)
          this.#parts.book.record({ type: 'heal-failed', node, because: asError(error).message })
        })
        .finally(() => this.#healing.delete(node))
    }
  }

  /** Waits for the starts that a crash of the supervisor left without anybody to watch them. */
  finishStarts(): void {
    const { plan, book, processes, signal } = this.#parts
    for (const { name } of plan.nodes) {
      if (processOf(book.state, name).kind !== 'starting' || book.state.faults[name] !== undefined) continue
      // One that ends before it is up is noted where all ended processes are.
      this.#lanes.run(name, () => processes.start(name, signal)).catch(() => undefined)
    }
  }

  // While this waited for its lane, somebody may have healed the fault or moved its end.
  async #restoreIfOverdue(name: string): Promise<void> {
    if (overdue(this.#parts.book.state, Date.now()).some((fault) => fault.node === name)) {
      await this.#restore(this.#node(name), 'deadline')
    }
  }

  async #restore(node: PlannedNode, because: 'deadline' | 'asked'): Promise<void> {
    const { book, processes, members, signal } = this.#parts
    const fault = book.state.faults[node.name]
    if (fault?.action === 'pause' && processes.running(node.name) !== undefined) {
      this.#signal(node, 'SIGCONT')
      book.record({ type: 'fault-healed', node: node.name, because })
      // The supervisor's end is the only way in which this fails, and then nobody waits for it.
      members.rejoin(node, signal).catch(() => undefined)
      return
    }
    await processes.start(node.name, signal)
    if (fault !== undefined) book.record({ type: 'fault-healed', node: node.name, because })
  }

  #signal(node: PlannedNode, name: NodeJS.Signals): void {
    const id = this.#parts.processes.running(node.name)
    if (id !== undefined) signal(id, name)
  }

  #node(name: string): PlannedNode {
    const node = this.#parts.plan.nodes.find((planned) => planned.name === name)
    if (node === undefined) throw unknownNode(this.#parts.plan, name)
    return node
  }
}
