import { asError, type LinkedController, linkedController } from '@ha/core/driver'
import { type LabState, processOf } from '../lab/state.ts'
import type { CommandResult } from '../machine/run-command.ts'
import {
  judgeAgreement,
  knowsPartition,
  largestPart,
  type MemberAnswer,
  type MemberView,
} from '../model/membership.ts'
import type { Plan, PlannedNode, Repair } from '../model/plan.ts'
import type { SupervisorContext } from './context.ts'
import { answerReaders } from './members.ts'

const askEveryMs = 200
// A survivor may give a peer up in the very moment in which it wakes; a second later that shows.
const settleMs = 1000
// How long a member is looked after beyond the patience with it. Its cluster has long decided by then.
const observationMs = 24_000
const repairTimeoutMs = 60_000
// A repair that failed is tried again, and not so often that it is the load.
const retryRepairMs = 2_000

/** What a repair asks of the members and of their processes. */
export interface MemberRepairDeps {
  /** Asks every member for its view. */
  readonly probe: () => Promise<readonly MemberAnswer[]>
  /** Stops a node gracefully and starts it again. */
  readonly restart: (name: string, signal: AbortSignal) => Promise<void>
}

/**
 * Why a node is looked after: it woke from a freeze, so its story is the old one, or it was found running and nobody
 * knows what happened to it.
 */
export type RepairTrigger = 'woke' | 'found'

/** One node that is looked after. */
interface RepairTask {
  readonly occasion: RepairTrigger
  /** Ends the looking. */
  readonly watching: LinkedController
  /** Ends a repair that is under way, too. */
  readonly repairing: LinkedController
  /** Settles when no repair is under way. */
  repaired: Promise<unknown>
  answeredAt: number
  /** Undefined: the members do not agree. */
  agreedAt: number | undefined
}

/**
 * Looks after members that ran while the others could not hear them: one that woke apart, or stopped serving and did
 * not begin again, is repaired in the way of its kind.
 */
export class MemberRepair {
  readonly #context: SupervisorContext
  readonly #deps: MemberRepairDeps
  readonly #tasks = new Map<string, RepairTask>()

  constructor(context: SupervisorContext, deps: MemberRepairDeps) {
    this.#context = context
    this.#deps = deps
  }

  /** Begins to look after a node that nobody looks after. */
  watch(node: PlannedNode, occasion: RepairTrigger): void {
    const { repair } = node
    if (repair === null) return
    const { clock, signal, fail } = this.#context
    const repairing = linkedController(signal)
    const now = clock.now()
    const one: RepairTask = {
      occasion,
      repairing,
      watching: linkedController(repairing.signal),
      repaired: Promise.resolve(),
      answeredAt: now,
      agreedAt: undefined,
    }
    this.#tasks.set(node.name, one)
    this.#watchUntilSettled(node, repair, one)
      .catch((error: unknown) => {
        if (!one.watching.signal.aborted) fail(asError(error))
      })
      .finally(() => this.#close(node.name, one))
  }

  /** Leaves a node alone; resolves when a repair that was under way has ended. */
  async release(name: string): Promise<void> {
    const one = this.#tasks.get(name)
    one?.watching.abort(new Error(`${name} is left alone`))
    // How it ended is told by who looks after the node.
    await Promise.allSettled([one?.repaired])
  }

  /** Leaves a node alone at once, in the middle of a repair, too: for what ends or freezes its process anyway. */
  cancel(name: string): void {
    this.#tasks.get(name)?.repairing.abort(new Error(`${name} is given up`))
  }

  async #watchUntilSettled(node: PlannedNode, repair: Repair, one: RepairTask): Promise<void> {
    const { journal, clock, plan } = this.#context
    const { signal } = one.watching
    const giveUpAt = clock.now() + repair.patienceMs + observationMs
    while (clock.now() < giveUpAt) {
      const answers = await this.#deps.probe()
      signal.throwIfAborted()
      updateTask(one, node.member, answers, clock.now())
      if (hasSettled(one, clock.now())) return
      const isApart = mustYield(node.member, answers, one.occasion)
      const downMs = clock.now() - one.answeredAt
      if (needsRepair({ isApart, downMs, isMajority: hasMajority(journal.state, plan) }, repair.patienceMs)) {
        // One that does not serve may hang in its start, and takes no command: after a partition RabbitMQ 3.10 on Erlang 25
        // waited for ever for the names that it shares with its peers (four of 32 partitions under traffic).
        one.repaired = this.#repair(node, isApart ? repair.command : null, one)
        if (!(await one.repaired)) await clock.sleep(retryRepairMs, signal)
      }
      await clock.sleep(askEveryMs, signal)
    }
  }

  // True when the member was repaired.
  async #repair(node: PlannedNode, command: Repair['command'], one: RepairTask): Promise<boolean> {
    const { journal, clock } = this.#context
    const { signal } = one.repairing
    const because = await this.#attemptRepair(node, command, signal)
    if (signal.aborted) return false
    one.answeredAt = clock.now()
    if (because === undefined) journal.record({ type: 'member-repaired', node: node.name })
    else journal.record({ type: 'repair-failed', node: node.name, because })
    return because === undefined
  }

  // Why the repair failed; undefined when it did not.
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
    return result.status === 0 ? answerReaders[plan.kind].repairRefusal(result.stdout) : failureOf(result)
  }

  #close(name: string, one: RepairTask): void {
    one.watching.unlink()
    one.repairing.unlink()
    if (this.#tasks.get(name) === one) this.#tasks.delete(name)
  }
}

function updateTask(one: RepairTask, member: string, answers: readonly MemberAnswer[], now: number): void {
  if (viewOf(member, answers)?.kind === 'answered') one.answeredAt = now
  one.agreedAt = judgeAgreement(answers).kind === 'agreed' ? (one.agreedAt ?? now) : undefined
}

function hasSettled({ agreedAt }: RepairTask, now: number): boolean {
  return agreedAt !== undefined && now - agreedAt >= settleMs
}

/** Whether a member runs apart from the others and its story is not the one that counts. */
export function mustYield(
  member: string,
  answers: readonly MemberAnswer[],
  occasion: RepairTrigger,
): boolean {
  const view = viewOf(member, answers)
  if (view === undefined || !knowsPartition(view)) return false
  return occasion === 'woke' || !largestPart(answers).includes(member)
}

/**
 * Whether a member must be repaired: it runs apart from the others, or has not served for too long. In a minority it is
 * right not to serve.
 */
export function needsRepair(
  seen: { readonly isApart: boolean; readonly downMs: number; readonly isMajority: boolean },
  patienceMs: number,
): boolean {
  return seen.isApart || (seen.isMajority && seen.downMs >= patienceMs)
}

/** Whether more than half of the nodes run without a fault. */
export function hasMajority(state: LabState, plan: Pick<Plan, 'nodes'>): boolean {
  const sound = plan.nodes.filter(
    ({ name }) => state.faults[name] === undefined && processOf(state, name).kind === 'up',
  )
  return sound.length * 2 > plan.nodes.length
}

function failureOf(result: CommandResult): string {
  const said = `${result.stderr}${result.stdout}`.trim()
  return said === '' ? 'it gave no answer' : said
}

function viewOf(member: string, answers: readonly MemberAnswer[]): MemberView | undefined {
  return answers.find((answer) => answer.member === member)?.view
}
