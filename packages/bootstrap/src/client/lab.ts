import { join } from 'node:path'
import { type Endpoint, systemClock } from '@ha/core'
import { asError, withDeadline } from '@ha/core/driver'
import type { Recovery } from '../galera/recovery.ts'
import type { Fault, FaultAction, RecordedEvent } from '../lab/events.ts'
import { defaultFaultMs } from '../lab/faults.ts'
import { readEvents } from '../lab/journal.ts'
import { isHeld, readLabLock } from '../lab/lab-lock.ts'
import type { Request } from '../lab/protocol.ts'
import { fold, idOf, initialLabState, type LabState, processOf } from '../lab/state.ts'
import type { LabStatus } from '../lab/status.ts'
import { statusWithoutSupervisor } from '../lab/status.ts'
import { endAndRemoveLab, journalPath } from '../machine/lab-folder.ts'
import { runCommand } from '../machine/run-command.ts'
import { type BootstrapCode, labError, unknownNode } from '../model/errors.ts'
import { roleOf } from '../model/membership.ts'
import { type PartitionSide, type Plan, type PlannedNode, partitionFrom } from '../model/plan.ts'
import { checkFaultMs, checkWaitMs } from '../model/validation.ts'
import { findLeader } from '../rabbitmq/probe.ts'
import { type CallOptions, callSupervisor } from './supervisor-client.ts'

/** A running cluster on this machine, to be broken. It is looked after by a process of its own and outlives this one. */
export class Lab {
  readonly name: string
  readonly kind: string
  readonly version: string
  /** Everything of the lab is in here. */
  readonly folder: string
  /** What an application dials, with all nodes in it. */
  readonly url: string
  /** The environment variable in which applications look for it: `AMQP_URL`, `MARIADB_URL`, `ZOOKEEPER_CONNECT`. */
  readonly urlVariable: string
  readonly #plan: Plan

  /** The lab in this folder, whether its supervisor runs or must be brought back. */
  constructor(folder: string, plan: Plan) {
    this.#plan = plan
    this.name = plan.lab
    this.kind = plan.kind
    this.version = plan.version
    this.folder = folder
    this.url = plan.url
    this.urlVariable = plan.urlVariable
  }

  /** Whether the lab did not come up; nothing but its logs is left then. */
  get hasFailed(): boolean {
    return this.#state().phase.kind === 'failed'
  }

  /** The nodes as they are at this moment. */
  get nodes(): readonly LabNode[] {
    const state = this.#state()
    const { nodes, processes } = this.#plan
    return nodes.map(({ name, host, port }) => ({
      name,
      endpoint: { host, port },
      pid: idOf(processOf(state, name))?.pid ?? null,
      logPath: join(this.folder, processes.find((process) => process.name === name)?.log ?? ''),
    }))
  }

  /** SIGKILL. It is healed by starting the node again. */
  kill(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('kill', node, options)
  }

  /** A graceful stop. It is healed by starting the node again. */
  stop(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('stop', node, options)
  }

  /** SIGSTOP: the node's kernel goes on to accept connections and the server says nothing. Healed by SIGCONT. */
  pause(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('pause', node, options)
  }

  /** Galera: cuts the node off from its group. It serves clients and has no majority. */
  isolate(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('isolate', node, options)
  }

  /** Galera: takes the node out of flow control, as a donor of data is. It may lag behind the others. */
  desync(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('desync', node, options)
  }

  /** Galera: the node refuses every query with error 1047, and answers pings. */
  rejectQueries(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('reject-queries', node, options)
  }

  /** Galera, or the primary of a replication: the server refuses writes with error 1290. */
  readOnly(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('read-only', node, options)
  }

  /** Replication: the replica fetches what its primary writes and does not apply it. */
  stopApplier(node: string, options: FaultOptions = {}): Promise<FaultLease> {
    return this.fault('stop-applier', node, options)
  }

  /** In a sandbox: cuts the node from its peers, from its clients, or from all, in both directions and silently. */
  partition(node: string, options: PartitionOptions = {}): Promise<FaultLease> {
    return this.fault(partitionFrom[options.from ?? 'peers'], node, options)
  }

  /** Breaks a node by any action; `fault-refused` names those that the node knows. */
  async fault(action: FaultAction, node: string, options: FaultOptions = {}): Promise<FaultLease> {
    const forMs = checkFaultMs(options.forMs, `${action}.forMs`, defaultFaultMs)
    const { signal } = options
    const fault = (await this.#call({ verb: 'fault', action, node, forMs }, { signal })) as Fault
    return faultLease(fault, () => this.resume(node))
  }

  /** Heals whatever fault the node has; starts it when it ended by itself. */
  async resume(node: string, options: CallOptions = {}): Promise<void> {
    await this.#call({ verb: 'resume', node }, options)
  }

  /** Stops the node gracefully and starts it again. */
  async restart(node: string, options: CallOptions = {}): Promise<void> {
    await this.#call({ verb: 'restart', node }, options)
  }

  /** Galera: how the cluster would come back after a full stop, and from which evidence. It changes nothing. */
  async recovery(options: RecoverOptions = {}): Promise<Recovery> {
    return (await this.#recover('consider', options)) as Recovery
  }

  /**
   * Galera: brings the cluster back after a full stop or the loss of its majority, from the node that is farthest.
   * Resolves when all nodes run; `recovery-refused` when that would be a guess.
   */
  async recover(options: RecoverOptions = {}): Promise<Recovery> {
    return (await this.#recover('recover', options)) as Recovery
  }

  /** Resolves when all members agree on the membership and hold each other to be running. */
  async ready(options: WaitOptions = {}): Promise<void> {
    const timeoutMs = checkWaitMs(options.timeoutMs, 'ready.timeoutMs', defaultWaitMs)
    await this.#call({ verb: 'ready', timeoutMs }, options)
  }

  /** How every node stands, and what each answered just now. */
  async status(options: CallOptions = {}): Promise<LabStatus> {
    const state = this.#state()
    // Nothing of a lab that is over runs, so there is nobody to ask.
    if (isOver(state)) return statusWithoutSupervisor(this.#plan, state)
    return (await this.#call({ verb: 'status' }, options)) as LabStatus
  }

  /** ZooKeeper: the node that leads the ensemble; undefined while they elect one. */
  async leader(options: CallOptions = {}): Promise<string | undefined> {
    const { nodes } = await this.status(options)
    return nodes.find(({ view }) => roleOf(view) === 'leader')?.name
  }

  /** RabbitMQ: the node that leads a queue, quorum or classic, as most members know it; undefined when none of them does. */
  async leaderOf(queue: string, vhost = '/'): Promise<string | undefined> {
    return await findLeader(this.#plan, vhost, queue)
  }

  /** Runs the server's administration tool against a node and returns what it printed. */
  async ctl(node: string, args: readonly string[], options: WaitOptions = {}): Promise<string> {
    return await runTool(this.#node(node), args, options)
  }

  /** Every event of the lab so far: the records of its journal. */
  events(): readonly RecordedEvent[] {
    return readEvents(journalPath(this.folder))
  }

  /** Hears every event of the journal, then those to come, until the lab ends or the signal fires. */
  async follow(onEvent: (event: RecordedEvent) => void, signal?: AbortSignal): Promise<void> {
    await this.#call({ verb: 'follow' }, { onEvent, signal })
  }

  /** Resolves when the lab has formed; rejects with what kept it from forming. */
  async formed(options: WaitOptions = {}): Promise<void> {
    const timeoutMs = checkWaitMs(options.timeoutMs, 'formed.timeoutMs', defaultWaitMs)
    const expired = (): Error =>
      labError('timed-out', `${this.name} has not come up in ${timeoutMs} ms; its logs are in ${this.folder}`)
    try {
      await withDeadline(systemClock, { timeoutMs, signal: options.signal, expired }, (signal) =>
        this.#call({ verb: 'formed' }, { ...options, signal }),
      )
    } catch (thrown) {
      options.signal?.throwIfAborted()
      // A supervisor that failed at once may have left before it could be asked; its journal tells why.
      const { phase } = this.#state()
      if (phase.kind !== 'failed') throw asError(thrown)
      throw labError(phase.code as BootstrapCode, phase.message, { cause: thrown })
    }
  }

  /** Ends every process of the lab and removes its folder. */
  async down(options: CallOptions = {}): Promise<void> {
    try {
      await this.#call({ verb: 'down' }, options)
    } catch (thrown) {
      options.signal?.throwIfAborted()
      // With a disk that is full no supervisor lives, and the lab must be able to end all the same.
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

  async #call(request: Request, options: CallOptions = {}): Promise<unknown> {
    return await callSupervisor(this.folder, request, options)
  }

  #state(): LabState {
    return this.events().reduce(fold, initialLabState)
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

/** How long a wait lasts that says nothing else. */
const defaultWaitMs = 60_000

/** A node of a lab. */
export interface LabNode {
  readonly name: string
  /** Where applications dial it. It stays the same when the node is killed and comes back. */
  readonly endpoint: Endpoint
  /** The process that signals would hit; null while the node does not run. */
  readonly pid: number | null
  /** Everything that the node printed. */
  readonly logPath: string
}

/** How long a fault lasts, and who may end the wait for its beginning. */
export interface FaultOptions {
  /** 1 to 604 800 000: a week. Default 300 000: five minutes. */
  readonly forMs?: number
  readonly signal?: AbortSignal | undefined
}

/** From whom a node is cut, for how long, and who may end the wait for the beginning. */
export interface PartitionOptions extends FaultOptions {
  /** Default `peers`. */
  readonly from?: PartitionSide
}

/** How long to wait, and who may end the wait. */
export interface WaitOptions extends CallOptions {
  /** 1 to 86 400 000: a day. Default 60 000. */
  readonly timeoutMs?: number
}

/** Which nodes' data are given up, and who may end the wait. */
export interface RecoverOptions extends CallOptions {
  /** Nodes that cannot be asked, or whose data shall not count, by name. Default none. */
  readonly assumeLost?: readonly string[]
}

/** A fault in force. It heals by itself at `healsAt`, whatever happens to the program that began it. */
export interface FaultLease extends Fault {
  /** Heals the node now; resolves when its process runs again. Agreement comes a moment later: see `lab.ready()`. */
  heal(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A lease around a fault, with the way to end it. */
function faultLease(fault: Fault, heal: () => Promise<void>): FaultLease {
  return { ...fault, heal, [Symbol.asyncDispose]: heal }
}

/** Runs the administration tool of a node with these arguments and returns what it printed. */
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
  const said = `${result.stderr}${result.stdout}`.trim()
  throw labError('tool-failed', `ctl ${args.join(' ')} on ${name} failed: ${said}`)
}
