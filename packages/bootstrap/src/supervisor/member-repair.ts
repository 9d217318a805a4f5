import { asError, type LinkedController, linkedController } from '@ha/core/driver'
import { type LabState, processOf } from '../lab/state.ts'
import type { CommandResult } from '../machine/run-command.ts'
import {
  assessAgreement,
  largestPartition,
  type MemberAnswer,
  type MemberView,
  reportsPartition,
} from '../model/membership.ts'
import type { LabPlan, PlannedNode, Repair } from '../model/plan.ts'
import type { SupervisorContext } from './context.ts'
import { answerParsers } from './members.ts'

const askEveryMs = 200
// A survivor may give a peer up at the very moment the peer resumes; that shows within a second.
const settleMs = 1000
// How long a member is watched beyond the time it has to recover by itself. Its cluster has decided long before.
const observationMs = 24_000
const repairTimeoutMs = 60_000
// The interval between attempts to repair, so that the attempts are not a load of their own.
const retryRepairMs = 2_000

/** What a repair needs from the members and from their processes. */
export interface MemberRepairDeps {
  /** Asks every member for its view. */
  readonly probe: () => Promise<readonly MemberAnswer[]>
  /** Stops a node gracefully and starts it again. */
  readonly restart: (name: string, signal: AbortSignal) => Promise<void>
}

/**
 * Why a node is watched: it was resumed after a pause, so its view is the outdated one; or a new supervisor or a
 * `resume` found it running, and nothing is known of its past.
 */
export type RepairTrigger = 'resumed' | 'adopted'

/** A node under watch. */
interface RepairTask {
  readonly trigger: RepairTrigger
  /** Ends the watch. */
  readonly watching: LinkedController
  /** Also cancels a repair that is in progress. */
  readonly repairing: LinkedController
  /** Settles when no repair is in progress. */
  repaired: Promise<unknown>
  answeredAt: number
  /** Undefined while the members do not agree. */
  agreedAt: number | undefined
}

/**
 * Repairs members that ran while the others could not reach them: a member that is partitioned after it was resumed,
 * or that stopped serving and does not start again, is repaired as its kind requires.
 */
export class MemberRepair {
  readonly #context: SupervisorContext
  readonly #deps: MemberRepairDeps
  readonly #tasks = new Map<string, RepairTask>()

  constructor(context: SupervisorContext, deps: MemberRepairDeps) {
    this.#context = context
    this.#deps = deps
  }

  /** Begins to watch a node. */
  watch(node: PlannedNode, trigger: RepairTrigger): void {
    const { repair } = node
    if (repair === null) return
    const { clock, signal, fail } = this.#context
    const repairing = linkedController(signal)
    const now = clock.now()
    const task: RepairTask = {
      trigger,
      repairing,
      watching: linkedController(repairing.signal),
      repaired: Promise.resolve(),
      answeredAt: now,
      agreedAt: undefined,
    }
    this.#tasks.set(node.name, task)
    this.#watchUntilSettled(node, repair, task)
      .catch((error: unknown) => {
        if (!task.watching.signal.aborted) fail(asError(error))
      })
      .finally(() => this.#close(node.name, task))
  }

  /** Stops watching a node; resolves when a repair in progress has ended. */
  async release(name: string): Promise<void> {
    const task = this.#tasks.get(name)
    task?.watching.abort(new Error(`${name} is no longer watched`))
    // The repair itself reports its outcome.
    await Promise.allSettled([task?.repaired])
  }

  /**
   * Stops watching a node at once and cancels a repair in progress, for faults that end or pause its process anyway.
   */
  cancel(name: string): void {
    this.#tasks.get(name)?.repairing.abort(new Error(`the repair of ${name} is cancelled`))
  }

  async #watchUntilSettled(node: PlannedNode, repair: Repair, task: RepairTask): Promise<void> {
    const { journal, clock, plan } = this.#context
    const { signal } = task.watching
    const giveUpAt = clock.now() + repair.patienceMs + observationMs
    while (clock.now() < giveUpAt) {
      const answers = await this.#deps.probe()
      signal.throwIfAborted()
      updateTask(task, node.member, answers, clock.now())
      if (hasSettled(task, clock.now())) return
      const isApart = mustRejoin(node.member, answers, task.trigger)
      const downMs = clock.now() - task.answeredAt
      if (needsRepair({ isApart, downMs, isMajority: hasMajority(journal.state, plan) }, repair.patienceMs)) {
        // A member that does not serve may hang in its start and take no command: after a partition RabbitMQ 3.10 on
        // Erlang 25 waited forever for the global names that it shares with its peers (4 of 32 partitions under
        // traffic).
        task.repaired = this.#repair(node, isApart ? repair.command : null, task)
        if (!(await task.repaired)) await clock.sleep(retryRepairMs, signal)
      }
      await clock.sleep(askEveryMs, signal)
    }
  }

  // Returns true when the member was repaired.
  async #repair(node: PlannedNode, command: Repair['command'], task: RepairTask): Promise<boolean> {
    const { journal, clock } = this.#context
    const { signal } = task.repairing
    const because = await this.#attemptRepair(node, command, signal)
    if (signal.aborted) return false
    task.answeredAt = clock.now()
    if (because === undefined) journal.record({ type: 'member-repaired', node: node.name })
    else journal.record({ type: 'repair-failed', node: node.name, because })
    return because === undefined
  }

  // Returns why the repair failed; undefined when it succeeded.
  async #attemptRepair(
    node: PlannedNode,
    command: Repair['command'],
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { plan, run } = this.#context
    if (command === null) {
      return await this.#deps.restart(node.name, signal).then(
        () => undefined,
        (error: unknown) => asError(error).message,
      )
    }
    const result = await run(command, { timeoutMs: repairTimeoutMs, signal })
    return result.status === 0 ? answerParsers[plan.kind].repairRefusal(result.stdout) : failureOf(result)
  }

  #close(name: string, task: RepairTask): void {
    task.watching.unlink()
    task.repairing.unlink()
    if (this.#tasks.get(name) === task) this.#tasks.delete(name)
  }
}

function updateTask(task: RepairTask, member: string, answers: readonly MemberAnswer[], now: number): void {
  if (viewOf(member, answers)?.kind === 'answered') task.answeredAt = now
  task.agreedAt = assessAgreement(answers).kind === 'agreed' ? (task.agreedAt ?? now) : undefined
}

function hasSettled({ agreedAt }: RepairTask, now: number): boolean {
  return agreedAt !== undefined && now - agreedAt >= settleMs
}

/**
 * Whether a partitioned member must rejoin the others: it is outside of the largest partition, or its process was
 * paused.
 */
export function mustRejoin(
  member: string,
  answers: readonly MemberAnswer[],
  trigger: RepairTrigger,
): boolean {
  const view = viewOf(member, answers)
  if (view === undefined || !reportsPartition(view)) return false
  return trigger === 'resumed' || !largestPartition(answers).includes(member)
}

/**
 * Whether a member must be repaired: it is partitioned from the others, or has not served for too long. A member in a
 * minority rightly does not serve.
 */
export function needsRepair(
  seen: { readonly isApart: boolean; readonly downMs: number; readonly isMajority: boolean },
  patienceMs: number,
): boolean {
  return seen.isApart || (seen.isMajority && seen.downMs >= patienceMs)
}

/** Whether more than half of the nodes run without a fault. */
export function hasMajority(state: LabState, plan: Pick<LabPlan, 'nodes'>): boolean {
  const sound = plan.nodes.filter(
    ({ name }) => state.faults[name] === undefined && processOf(state, name).kind === 'up',
  )
  return sound.length * 2 > plan.nodes.length
}

function failureOf(result: CommandResult): string {
  const output = `${result.stderr}${result.stdout}`.trim()
  return output === '' ? 'it did not answer' : output
}

function viewOf(member: string, answers: readonly MemberAnswer[]): MemberView | undefined {
  return answers.find((answer) => answer.member === member)?.view
}
