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
import { machineUptime } from '../machine/host.ts'
import { sendSignal } from '../machine/process-table.ts'
import { labError, unknownNode } from '../model/errors.ts'
import type { FaultCommands, KindName, NetworkFault, PlannedNode, ServerFault } from '../model/plan.ts'
import type { SupervisorContext } from './context.ts'
import type { MemberRepair } from './member-repair.ts'
import type { Processes } from './processes.ts'

// The interval between attempts to heal a node that does not come back, so that the attempts are not a load of their
// own.
const retryHealMs = 5000
// A server sets a variable in milliseconds; a server that leaves its group may have to wait for the group.
const faultCommandTimeoutMs = 20_000

/** The parts of the supervisor that a fault concerns. */
export interface FaultInjectorDeps {
  readonly processes: Pick<Processes, 'running' | 'start' | 'end' | 'restart'>
  readonly repair: Pick<MemberRepair, 'watch' | 'release' | 'cancel'>
}

/** Breaks nodes and heals them. A fault is recorded before its commands run, so that a crash cannot lose it. */
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

  /** Grants a fault and applies it. */
  inject(request: FaultRequest): Promise<Fault> {
    const node = this.#node(request.node)
    this.#checkSupported(node, request.action)
    return this.#queue.run(node.name, async () => {
      const { journal } = this.#context
      const fault = grantFault(journal.state, request, Date.now(), machineUptime())
      journal.record({ type: 'fault-begun', fault })
      // A graceful stop during a repair would meet a broker that is starting.
      if (fault.action === 'stop') await this.#repair.release(node.name)
      else this.#repair.cancel(node.name)
      await this.#apply(node, fault.action)
      return fault
    })
  }

  /**
   * Heals a node before its deadline, whatever its fault. A node whose process ended by itself is started. When the
   * node runs without a fault, all members that are partitioned from the others are repaired.
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

  /** Runs work that starts and ends nodes itself; no fault begins or is healed meanwhile. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#queue.runAll(
      this.#context.plan.nodes.map(({ name }) => name),
      work,
    )
  }

  /** Begins to heal every fault whose deadline has passed. */
  healExpired(): void {
    for (const { node } of this.#expired()) {
      if (this.#healing.has(node) || this.#context.clock.now() < (this.#retryAt.get(node) ?? 0)) continue
      this.#healing.add(node)
      void this.#queue
        .run(node, () => this.#restoreIfExpired(node))
        .catch((error: unknown) => this.#recordFailedHeal(node, asError(error)))
        .finally(() => this.#healing.delete(node))
        .catch((error: unknown) => this.#context.fail(asError(error)))
    }
  }

  /** Watches every node that runs without a fault, after waiting for those that are still starting. */
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
          this.#repair.watch(node, 'adopted')
        })
        // A process that ends before it is up is recorded where all ended processes are.
        .catch(() => undefined)
    }
  }

  #recordFailedHeal(node: string, error: Error): void {
    const { journal, signal } = this.#context
    if (signal.aborted) return
    this.#retryAt.set(node, this.#context.clock.now() + retryHealMs)
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

  // The fault stays in force when the server rejects the command; healing it is harmless then.
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
    const output = `${result.stderr}${result.stdout}`.trim()
    throw labError('tool-failed', `${action} ${node.name}: the server did not ${what} it: ${output}`)
  }

  #checkSupported(node: PlannedNode, action: Fault['action']): void {
    const known = supportedFaults(node)
    if (known.includes(action)) return
    if (isNetworkFault(action)) throw needsSandbox(node.name, this.#context.plan.kind)
    throw labError(
      'fault-refused',
      `${action} ${node.name}: ${nodesLike(node, this.#context.plan.kind)} support the faults ${known.join(', ')}`,
    )
  }

  // While this was queued, another request may have healed the fault or moved its deadline.
  async #restoreIfExpired(name: string): Promise<void> {
    if (this.#expired().some((fault) => fault.node === name)) {
      await this.#restore(this.#node(name), 'deadline')
    }
  }

  #expired(): readonly Fault[] {
    return expiredFaults(this.#context.journal.state, Date.now(), machineUptime())
  }

  async #restore(node: PlannedNode, because: 'deadline' | 'asked'): Promise<void> {
    const { journal, signal } = this.#context
    const fault = journal.state.faults[node.name]
    if (fault?.action === 'pause') this.#signal(node, 'SIGCONT')
    // The network is healed before the start, since an unreachable node does not come up; a server fault is healed once
    // the server runs.
    if (fault !== undefined && isNetworkFault(fault.action))
      await this.#runFaultCommand(node, fault.action, 'heal')
    const ran = this.#processes.running(node.name) !== undefined
    await this.#processes.start(node.name, signal)
    if (fault === undefined) return
    if (isServerFault(fault.action)) await this.#runFaultCommand(node, fault.action, 'heal')
    journal.record({ type: 'fault-healed', node: node.name, because })
    // A started node rejoins by itself. A paused node may have been given up by its peers meanwhile.
    if (!ran) return
    await this.#repair.release(node.name)
    this.#repair.watch(node, 'resumed')
  }

  #signal(node: PlannedNode, name: NodeJS.Signals): void {
    const id = this.#processes.running(node.name)
    if (id !== undefined) sendSignal(id, name)
  }

  #node(name: string): PlannedNode {
    const node = this.#context.plan.nodes.find((planned) => planned.name === name)
    if (node === undefined) throw unknownNode(this.#context.plan, name)
    return node
  }
}

// What the node's kind calls the nodes that support the same faults.
function nodesLike({ ctl, levers }: PlannedNode, kind: KindName): string {
  switch (kind) {
    case 'rabbitmq':
      return 'RabbitMQ nodes'
    case 'galera':
      return ctl === null ? 'Galera arbitrators' : 'Galera nodes'
    case 'replication':
      return levers['stop-applier'] === undefined ? 'primaries' : 'replicas'
    case 'zookeeper':
      return 'ZooKeeper servers'
  }
}

function needsSandbox(node: string, kind: string): Error {
  return labError(
    'fault-refused',
    `partition ${node}: partitions need a network for each node; run: hactl sandbox -- bash, then in it: hactl up ${kind}`,
  )
}

/** Runs work one piece after the other for each key; different keys run concurrently. */
export class KeyedQueue {
  readonly #lastByKey = new Map<string, Promise<unknown>>()

  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.runAll([name], work)
  }

  /** Runs work that needs several keys for itself. */
  runAll<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = Promise.all(names.map((name) => this.#lastByKey.get(name)))
    const mine = before.then(work)
    // The next work waits for the end of this one, whatever its outcome; the failure is the caller's.
    const ended = mine.catch(() => undefined)
    for (const name of names) this.#lastByKey.set(name, ended)
    return mine
  }
}
