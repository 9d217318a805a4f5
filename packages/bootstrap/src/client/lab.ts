import { join } from 'node:path'
import { type Endpoint, systemClock } from '@ha/core'
import { asError, withDeadline } from '@ha/core/driver'
import type { Recovery } from '../galera/recovery.ts'
import type { ControlRequest } from '../lab/control-protocol.ts'
import type { Fault, FaultAction, RecordedEvent } from '../lab/events.ts'
import { defaultFaultMs } from '../lab/faults.ts'
import { readEvents } from '../lab/journal.ts'
import { isHeld, readLabLock } from '../lab/lab-lock.ts'
import { applyEvent, initialLabState, type LabState, processIdOf, processOf } from '../lab/state.ts'
import type { LabStatus } from '../lab/status.ts'
import { statusWithoutSupervisor } from '../lab/status.ts'
import { endAndRemoveLab, journalPath } from '../machine/lab-folder.ts'
import { runCommand } from '../machine/run-command.ts'
import { type BootstrapCode, labError, unknownNode } from '../model/errors.ts'
import { roleOf } from '../model/membership.ts'
import { type LabPlan, type PartitionSide, type PlannedNode, partitionFrom } from '../model/plan.ts'
import { checkFaultMs, checkWaitMs } from '../model/validation.ts'
import { findLeader } from '../rabbitmq/probe.ts'
import { callSupervisor, type SupervisorCallOptions } from './supervisor-client.ts'

/**
 * A real cluster on this machine that can be broken. A process of its own supervises it, and it outlives this program.
 */
export class Lab {
  readonly name: string
  readonly kind: string
  readonly version: string
  /** The folder that contains everything of the lab. */
  readonly folder: string
  /** The address that an application connects to, with all nodes in it. */
  readonly url: string
  /**
   * The environment variable in which applications look for the address: `AMQP_URL`, `MARIADB_URL`,
   * `ZOOKEEPER_CONNECT`.
   */
  readonly urlVariable: string
  readonly #plan: LabPlan

  /** The lab in this folder, whether its supervisor runs or must be started again. */
  constructor(folder: string, plan: LabPlan) {
    this.#plan = plan
    this.name = plan.lab
    this.kind = plan.kind
    this.version = plan.version
    this.folder = folder
    this.url = plan.url
    this.urlVariable = plan.urlVariable
  }

  /** Whether the lab failed to start; then only its logs are left. */
  get hasFailed(): boolean {
    return this.#state().phase.kind === 'failed'
  }

  /** The nodes with their present processes. */
  get nodes(): readonly LabNode[] {
    const state = this.#state()
    const { nodes, processes } = this.#plan
    return nodes.map(({ name, host, port }) => ({
      name,
      endpoint: { host, port },
      pid: processIdOf(processOf(state, name))?.pid ?? null,
      logPath: join(this.folder, processes.find((process) => process.name === name)?.log ?? ''),
    }))
  }

  /** Sends SIGKILL. Healing starts the node again. */
  kill(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('kill', node, options)
  }

  /** Stops the node gracefully. Healing starts it again. */
  stop(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('stop', node, options)
  }

  /**
   * Sends SIGSTOP: the kernel goes on accepting connections for the node, and the server does not answer. Healing
   * sends SIGCONT.
   */
  pause(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('pause', node, options)
  }

  /** Galera: cuts the node off from its group. It accepts clients and has no majority. */
  isolate(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('isolate', node, options)
  }

  /** Galera: takes the node out of flow control, like a donor. It may lag behind the others. */
  desync(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('desync', node, options)
  }

  /** Galera: the node rejects every query with error 1047, and answers pings. */
  rejectQueries(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('reject-queries', node, options)
  }

  /** Galera, or the primary of a replication: the server rejects writes with error 1290. */
  readOnly(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('read-only', node, options)
  }

  /** Replication: the replica fetches the primary's changes and does not apply them. */
  stopApplier(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('stop-applier', node, options)
  }

  /** In a sandbox: drops all packets between the node and its peers, its clients, or both, in both directions. */
  partition(node: string, options: PartitionOptions = {}): Promise<FaultLease> {
    return this.fault(partitionFrom[options.from ?? 'peers'], node, options)
  }

  /** Breaks a node by any action; the error `fault-refused` lists those that the node supports. */
  async fault(action: FaultAction, node: string, options: FaultOptions = {}): Promise<FaultLease> {
    const forMs = checkFaultMs(options.forMs, `${action}.forMs`, defaultFaultMs)
    const { signal } = options
    const fault = (await this.#call({ verb: 'fault', action, node, forMs }, { signal })) as Fault
    return faultLease(fault, () => this.resume(node))
  }

  /** Heals the fault of the node; starts the node when its process has ended by itself. */
  async resume(node: string, options: SupervisorCallOptions = {}): Promise<void> {
    await this.#call({ verb: 'resume', node }, options)
  }

  /** Stops the node gracefully and starts it again. */
  async restart(node: string, options: SupervisorCallOptions = {}): Promise<void> {
    await this.#call({ verb: 'restart', node }, options)
  }

  /**
   * Galera: reports how the cluster would be recovered after a full stop, and the evidence for it. It changes nothing.
   */
  async recovery(options: RecoverOptions = {}): Promise<Recovery> {
    return (await this.#recover('consider', options)) as Recovery
  }

  /**
   * Galera: recovers the cluster after a full stop or the loss of its majority, from the most advanced node. Resolves
   * when all nodes run; rejects with `recovery-refused` when the outcome would be a guess.
   */
  async recover(options: RecoverOptions = {}): Promise<Recovery> {
    return (await this.#recover('recover', options)) as Recovery
  }

  /** Resolves when all members report the same membership and consider each other running. */
  async ready(options: WaitOptions = {}): Promise<void> {
    const timeoutMs = checkWaitMs(options.timeoutMs, 'ready.timeoutMs', defaultWaitMs)
    await this.#call({ verb: 'ready', timeoutMs }, options)
  }

  /**
   * Starts every node of a lab that went down as a whole, as by a power cut, with its data, and resolves when all members
   * agree. Rejects with `recovery-refused` when data of a Galera cluster would be lost.
   */
  async bringBack(options: WaitOptions = {}): Promise<void> {
    const timeoutMs = checkWaitMs(options.timeoutMs, 'bringBack.timeoutMs', defaultBringBackMs)
    await this.#call({ verb: 'bring-back', timeoutMs }, options)
  }

  /** The status of every node, with what each member answers now. */
  async status(options: SupervisorCallOptions = {}): Promise<LabStatus> {
    const state = this.#state()
    // A lab that has failed or ended has no supervisor to ask.
    if (isOver(state)) return statusWithoutSupervisor(this.#plan, state)
    return (await this.#call({ verb: 'status' }, options)) as LabStatus
  }

  /** ZooKeeper: the node that leads the ensemble; undefined during an election. */
  async leader(options: SupervisorCallOptions = {}): Promise<string | undefined> {
    const { nodes } = await this.status(options)
    return nodes.find(({ view }) => roleOf(view) === 'leader')?.name
  }

  /**
   * RabbitMQ: the node that leads a queue, quorum or classic, according to most members; undefined when no member
   * knows one.
   */
  async leaderOf(queue: string, vhost = '/'): Promise<string | undefined> {
    return await findLeader(this.#plan, vhost, queue)
  }

  /** Runs the server's administration tool against a node and returns its output. */
  async ctl(node: string, args: readonly string[], options: WaitOptions = {}): Promise<string> {
    return await runTool(this.#node(node), args, options)
  }

  /** All events of the lab so far, from its journal. */
  events(): readonly RecordedEvent[] {
    return readEvents(journalPath(this.folder))
  }

  /** Passes on every event of the journal and new ones, until the lab ends or the signal is aborted. */
  async follow(onEvent: (event: RecordedEvent) => void, signal?: AbortSignal): Promise<void> {
    await this.#call({ verb: 'follow' }, { onEvent, signal })
  }

  /** Resolves when the lab has formed; rejects with the error that prevented it. */
  async formed(options: WaitOptions = {}): Promise<void> {
    const timeoutMs = checkWaitMs(options.timeoutMs, 'formed.timeoutMs', defaultWaitMs)
    const expired = (): Error =>
      labError(
        'timed-out',
        `${this.name} has not formed within ${timeoutMs} ms${this.#lastDisagreement()}; its logs are in ${this.folder}`,
      )
    try {
      await withDeadline(systemClock, { timeoutMs, signal: options.signal, expired }, (signal) =>
        this.#call({ verb: 'formed' }, { ...options, signal }),
      )
    } catch (thrown) {
      options.signal?.throwIfAborted()
      // A supervisor that failed early may have ended before it could be asked; its journal contains the reason.
      const { phase } = this.#state()
      if (phase.kind !== 'failed') throw asError(thrown)
      throw labError(phase.code as BootstrapCode, phase.message, { cause: thrown })
    }
  }

  /** Ends every process of the lab and removes its folder. */
  async down(options: SupervisorCallOptions = {}): Promise<void> {
    try {
      await this.#call({ verb: 'down' }, options)
    } catch (thrown) {
      options.signal?.throwIfAborted()
      // On a full disk no supervisor can run, and ending the lab must be possible all the same.
      if (!isOver(this.#state()) && isHeld(readLabLock(this.folder))) throw asError(thrown)
      await endAndRemoveLab(this.folder)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.down()
  }

  async #recover(verb: 'consider' | 'recover', options: RecoverOptions): Promise<unknown> {
    const assumeLost = options.assumeLost ?? []
    for (const name of assumeLost) this.#node(name)
    return await this.#call({ verb, assumeLost }, options)
  }

  async #call(request: ControlRequest, options: SupervisorCallOptions = {}): Promise<unknown> {
    return await callSupervisor(this.folder, request, options)
  }

  #state(): LabState {
    return this.events().reduce(applyEvent, initialLabState)
  }

  #lastDisagreement(): string {
    const last = this.events().findLast((event) => event.type === 'disagreed')
    return last?.type === 'disagreed' ? `: ${last.node}: ${last.because}` : ''
  }

  #node(name: string): PlannedNode {
    const node = this.#plan.nodes.find((planned) => planned.name === name)
    if (node === undefined) throw unknownNode(this.#plan, name)
    return node
  }
}

function isOver(state: LabState): boolean {
  return state.phase.kind === 'failed' || state.phase.kind === 'ended'
}

/** The default limit of a wait. */
const defaultWaitMs = 60_000
const defaultBringBackMs = 180_000

/** A node of a lab. */
export interface LabNode {
  readonly name: string
  /** The address that applications connect to. It stays the same when the node is killed and comes back. */
  readonly endpoint: Endpoint
  /** The process that receives signals; null while the node does not run. */
  readonly pid: number | null
  /** The file with everything that the node has printed. */
  readonly logPath: string
}

/** The duration of a fault, and a signal that ends the wait for its beginning. */
export interface FaultOptions {
  /** Milliseconds, 1 to 604 800 000 (a week). Default 300 000: five minutes. */
  readonly forMs?: number
  readonly signal?: AbortSignal | undefined
}

/** The side from which a node is cut off, in addition to the options of every fault. */
export interface PartitionOptions extends FaultOptions {
  /** Default `peers`. */
  readonly from?: PartitionSide
}

/** The limit of a wait, and a signal that ends it. */
export interface WaitOptions extends SupervisorCallOptions {
  /** Milliseconds, 1 to 86 400 000 (a day). Default 60 000. */
  readonly timeoutMs?: number
}

/** The nodes whose data are given up, and a signal that ends the wait. */
export interface RecoverOptions extends SupervisorCallOptions {
  /** Names of nodes that cannot be asked, or whose data must not count. Default none. */
  readonly assumeLost?: readonly string[]
}

/** A fault in force. The supervisor heals it at `healsAt`, even when the program that began it has ended. */
export interface FaultLease extends Fault {
  /** Heals the node now; resolves when its process runs again. The members agree a moment later: see `lab.ready()`. */
  heal(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Adds the methods that end the fault. */
function faultLease(fault: Fault, heal: () => Promise<void>): FaultLease {
  return { ...fault, heal, [Symbol.asyncDispose]: heal }
}

/** Runs the administration tool of a node with these arguments and returns its output. */
async function runTool(
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
  const output = `${result.stderr}${result.stdout}`.trim()
  throw labError('tool-failed', `ctl ${args.join(' ')} on ${name} failed: ${output}`)
}
