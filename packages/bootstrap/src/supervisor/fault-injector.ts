import { asError } from '@ha/core/driver'
import type { Fault } from '../lab/events.ts'
import {
  expiredFaults,
  type FaultRequest,
  grantFault,
  isNetworkFault,
  isServerFault,
  supportedFaults,
} from '../lab/faults.ts'
import { processOf } from '../lab/state.ts'
import { signal } from '../machine/process-table.ts'
import { labError, unknownNode } from '../model/errors.ts'
import type { FaultCommands, NetworkFault, PlannedNode, ServerFault } from '../model/plan.ts'
import type { SupervisorContext } from './context.ts'
import type { MemberRepair } from './member-repair.ts'
import type { Processes } from './processes.ts'

// A node that does not come back is tried again, and not so often that its attempts are the load.
const retryHealMs = 5000
// A server sets a variable in milliseconds; one that leaves its group may wait for it.
const faultCommandTimeoutMs = 20_000

/** The parts of the supervisor that a fault concerns. */
export interface FaultInjectorDeps {
  readonly processes: Pick<Processes, 'running' | 'start' | 'end' | 'restart'>
  readonly repair: Pick<MemberRepair, 'watch' | 'release' | 'cancel'>
}

/** Breaks nodes and heals them. The lease is written down before the lever is pulled, so that a crash cannot lose it. */
export class FaultInjector {
  readonly #context: SupervisorContext
  readonly #processes: FaultInjectorDeps['processes']
  readonly #repair: FaultInjectorDeps['repair']
  readonly #queue = new KeyedQueue()
  readonly #retryAt = new Map<string, number>()
  readonly #healing = new Set<string>()

  constructor(context: SupervisorContext, { processes, repair }: FaultInjectorDeps) {
    this.#context = context
    this.#processes = processes
    this.#repair = repair
  }

  /** Grants a fault and pulls its lever. */
  inject(request: FaultRequest): Promise<Fault> {
    const node = this.#node(request.node)
    this.#checkSupported(node, request.action)
    return this.#queue.run(node.name, async () => {
      const { journal } = this.#context
      const fault = grantFault(journal.state, request, Date.now())
      journal.record({ type: 'fault-begun', fault })
      // A graceful stop in the middle of a repair would meet a broker that is starting.
      if (fault.action === 'stop') await this.#repair.release(node.name)
      else this.#repair.cancel(node.name)
      await this.#apply(node, fault.action)
      return fault
    })
  }

  /**
   * Heals a node before its time, whatever its fault. One that ended by itself is started; when it runs without a
   * fault, members that are apart from the others are joined, whichever they are.
   */
  heal(name: string): Promise<void> {
    const node = this.#node(name)
    const { journal } = this.#context
    if (journal.state.faults[name] === undefined && this.#processes.running(name) !== undefined)
      this.watchAllMembers()
    return this.#queue.run(name, () => this.#restore(node, 'asked'))
  }

  /** Heals a node, then stops it gracefully and starts it again. */
  restart(name: string): Promise<void> {
    const node = this.#node(name)
    const { signal } = this.#context
    return this.#queue.run(name, async () => {
      await this.#restore(node, 'asked')
      await this.#repair.release(name)
      await this.#processes.restart(name, signal)
    })
  }

  /** Runs work that starts and ends nodes by itself: no fault begins and none is healed meanwhile. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#queue.runAll(
      this.#context.plan.nodes.map(({ name }) => name),
      work,
    )
  }

  /** Begins to heal every fault whose time is over. */
  healExpired(now: number): void {
    for (const { node } of expiredFaults(this.#context.journal.state, now)) {
      if (this.#healing.has(node) || now < (this.#retryAt.get(node) ?? 0)) continue
      this.#healing.add(node)
      void this.#queue
        .run(node, () => this.#restoreIfExpired(node))
        .catch((error: unknown) => this.#recordFailedHeal(node, asError(error)))
        .finally(() => this.#healing.delete(node))
        .catch((error: unknown) => this.#context.fail(asError(error)))
    }
  }

  /** Looks after every node that runs without a fault, and waits for those that are still starting. */
  watchAllMembers(): void {
    const { plan, journal, signal } = this.#context
    for (const node of plan.nodes) {
      const { name } = node
      if (processOf(journal.state, name).kind === 'down' || journal.state.faults[name] !== undefined) continue
      this.#queue
        .run(name, async () => {
          if (this.#processes.running(name) === undefined) return
          await this.#processes.start(name, signal)
          await this.#repair.release(name)
          this.#repair.watch(node, 'found')
        })
        // One that ends before it is up is noted where all ended processes are.
        .catch(() => undefined)
    }
  }

  #recordFailedHeal(node: string, error: Error): void {
    const { journal, signal } = this.#context
    if (signal.aborted) return
    this.#retryAt.set(node, Date.now() + retryHealMs)
    journal.record({ type: 'heal-failed', node, because: error.message })
  }

  async #apply(node: PlannedNode, action: Fault['action']): Promise<void> {
    switch (action) {
      case 'kill':
        return await this.#processes.end(node.name, 'SIGKILL')
      case 'stop':
        return await this.#processes.end(node.name, 'SIGTERM')
      case 'pause':
        return this.#signal(node, 'SIGSTOP')
      case 'isolate':
      case 'desync':
      case 'reject-queries':
      case 'read-only':
      case 'stop-applier':
      case 'partition':
      case 'partition-clients':
      case 'partition-all':
        return await this.#runFaultCommand(node, action, 'begin')
    }
  }

  // Its lease is in force also when the server refused: then healing it does no harm.
  async #runFaultCommand(
    node: PlannedNode,
    action: ServerFault | NetworkFault,
    what: keyof FaultCommands,
  ): Promise<void> {
    const { run, signal } = this.#context
    const command = node.levers[action]?.[what]
    if (command === undefined) return
    const result = await run(command, { timeoutMs: faultCommandTimeoutMs, signal })
    if (result.status === 0) return
    const said = `${result.stderr}${result.stdout}`.trim()
    throw labError('tool-failed', `${action} ${node.name}: it did not ${what}: ${said}`)
  }

  #checkSupported(node: PlannedNode, action: Fault['action']): void {
    const known = supportedFaults(node)
    if (known.includes(action)) return
    if (isNetworkFault(action)) throw needsSandbox(node.name, this.#context.plan.kind)
    throw labError(
      'fault-refused',
      `${action} ${node.name}: a node of ${this.#context.plan.kind} like this knows only ${known.join(', ')}`,
    )
  }

  // While this waited for its lane, somebody may have healed the fault or moved its end.
  async #restoreIfExpired(name: string): Promise<void> {
    if (expiredFaults(this.#context.journal.state, Date.now()).some((fault) => fault.node === name)) {
      await this.#restore(this.#node(name), 'deadline')
    }
  }

  async #restore(node: PlannedNode, because: 'deadline' | 'asked'): Promise<void> {
    const { journal, signal } = this.#context
    const fault = journal.state.faults[node.name]
    if (fault?.action === 'pause') this.#signal(node, 'SIGCONT')
    // Before a start, since a node that nobody can reach does not come up; a server is told when it runs again.
    if (fault !== undefined && isNetworkFault(fault.action))
      await this.#runFaultCommand(node, fault.action, 'heal')
    const ran = this.#processes.running(node.name) !== undefined
    await this.#processes.start(node.name, signal)
    if (fault === undefined) return
    if (isServerFault(fault.action)) await this.#runFaultCommand(node, fault.action, 'heal')
    journal.record({ type: 'fault-healed', node: node.name, because })
    // One that was started joins the others by itself. One that was frozen may have been given up by them meanwhile.
    if (!ran) return
    await this.#repair.release(node.name)
    this.#repair.watch(node, 'woke')
  }

  #signal(node: PlannedNode, name: NodeJS.Signals): void {
    const id = this.#processes.running(node.name)
    if (id !== undefined) signal(id, name)
  }

  #node(name: string): PlannedNode {
    const node = this.#context.plan.nodes.find((planned) => planned.name === name)
    if (node === undefined) throw unknownNode(this.#context.plan, name)
    return node
  }
}

function needsSandbox(node: string, kind: string): Error {
  return labError(
    'fault-refused',
    `partition ${node}: this needs a network for each node; type: hactl sandbox -- bash, and in there: hactl up ${kind}`,
  )
}

/** One lane for each name: what is run in a lane waits for what was run there before. */
export class KeyedQueue {
  readonly #lastByKey = new Map<string, Promise<unknown>>()

  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.runAll([name], work)
  }

  /** Runs work that needs several lanes for itself. */
  runAll<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = Promise.all(names.map((name) => this.#lastByKey.get(name)))
    const mine = before.then(work)
    // The next in the lane waits for the end, however it ends; the failure belongs to whoever asked for it.
    const ended = mine.catch(() => undefined)
    for (const name of names) this.#lastByKey.set(name, ended)
    return mine
  }
}
