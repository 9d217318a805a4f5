import { join } from 'node:path'
import type { Clock } from '@ha/core'
import { participle } from '../lab/faults.ts'
import { kinds } from '../lab/kinds.ts'
import type { LabState } from '../lab/state.ts'
import { logTail } from '../machine/lab-folder.ts'
import { runCommand } from '../machine/run-command.ts'
import { type Agreement, type Answer, judge, type MemberView, wokeApart } from '../model/agreement.ts'
import { labError } from '../model/codes.ts'
import type { Command, Plan, PlannedNode } from '../model/plan.ts'
import type { Book } from './book.ts'
import { shownLogLines } from './processes.ts'

// A healthy member answers in 5 to 30 ms.
const answerTimeoutMs = 1500
const askEveryMs = 200
// A survivor may give a peer up in the very moment in which it wakes; a second later that shows.
const settleMs = 1000
// How long a woken member is looked after. Its cluster has long decided by then.
const aftercareMs = 30_000
const repairTimeoutMs = 60_000
// A broker that pauses itself in a minority starts again within two or three seconds. When its own restart and ours
// meet, both can fail, and it stays down.
const stuckAfterMs = 6_000

/** The members of a cluster, asked one by one: nobody answers for another. */
export class Members {
  readonly #plan: Plan
  readonly #book: Book
  readonly #clock: Clock

  constructor(plan: Plan, book: Book, clock: Clock) {
    this.#plan = plan
    this.#book = book
    this.#clock = clock
  }

  /** What every member answers now, in the order of the plan. */
  ask(): Promise<readonly Answer[]> {
    return Promise.all(
      this.#plan.nodes.map(async (node) => ({ member: node.member, view: await this.#askOne(node) })),
    )
  }

  /** Waits until all members agree; on the deadline it names the one that does not, with the end of its log. */
  async agree(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const begun = this.#clock.now()
    let last = ''
    for (;;) {
      const agreement = judge(await this.ask())
      const elapsedMs = Math.round(this.#clock.now() - begun)
      if (agreement.kind === 'agreed') {
        this.#book.record({ type: 'agreed', elapsedMs })
        return
      }
      const node = this.#nodeOf(agreement.member)
      if (last !== agreement.because) {
        this.#book.record({ type: 'disagreed', node, because: agreement.because })
      }
      last = agreement.because
      if (elapsedMs >= timeoutMs) throw this.#notAgreed(node, agreement, timeoutMs)
      await this.#clock.sleep(askEveryMs, signal)
    }
  }

  /**
   * Looks after a member that was frozen: when it woke apart from the others, or stopped its broker and did not start
   * it again, its own repair command joins it.
   */
  async rejoin(node: PlannedNode, signal: AbortSignal): Promise<void> {
    const giveUpAt = this.#clock.now() + aftercareMs
    const care: Aftercare = { answeredAt: this.#clock.now(), agreedAt: undefined }
    while (this.#clock.now() < giveUpAt && this.#book.state.faults[node.name] === undefined) {
      if (node.repair === null || (await this.#lookAfter(node, node.repair, care, signal))) return
      await this.#clock.sleep(askEveryMs, signal)
    }
  }

  // True when the member has been well for long enough.
  async #lookAfter(
    node: PlannedNode,
    repair: Command,
    care: Aftercare,
    signal: AbortSignal,
  ): Promise<boolean> {
    const answers = await this.ask()
    const now = this.#clock.now()
    const view = answers.find(({ member }) => member === node.member)?.view
    if (view?.kind === 'answered') care.answeredAt = now
    if (needsRepair(view, now - care.answeredAt)) {
      await runCommand(repair, { timeoutMs: repairTimeoutMs, signal })
      this.#book.record({ type: 'member-repaired', node: node.name })
      care.answeredAt = this.#clock.now()
    }
    care.agreedAt = judge(answers).kind === 'agreed' ? (care.agreedAt ?? now) : undefined
    return care.agreedAt !== undefined && now - care.agreedAt >= settleMs
  }

  async #askOne(node: PlannedNode): Promise<MemberView> {
    const known = knownSilence(this.#book.state, node.name)
    if (known !== undefined) return { kind: 'silent', because: known }
    const { status, stdout } = await runCommand(node.ask, { timeoutMs: answerTimeoutMs })
    if (status === null) return { kind: 'silent', because: `it gave no answer in ${answerTimeoutMs} ms` }
    if (status !== 0) return { kind: 'starting', because: 'it takes no questions yet' }
    return kinds[this.#plan.kind].readView(stdout)
  }

  #nodeOf(member: string): string {
    return this.#plan.nodes.find((node) => node.member === member)?.name ?? member
  }

  #notAgreed(node: string, agreement: Extract<Agreement, { kind: 'disagreed' }>, timeoutMs: number): Error {
    const planned = this.#plan.processes.find((process) => process.name === node)
    const log = join(this.#plan.folder, planned?.log ?? '')
    const tail = logTail(log, shownLogLines).join('\n')
    return labError(
      'not-agreed',
      `${node} does not agree with the others after ${timeoutMs} ms: ${agreement.because}; the end of ${log}:\n${tail}`,
    )
  }
}

/** What has been seen of a member that is looked after, in clock times. */
interface Aftercare {
  answeredAt: number
  /** Undefined: the members do not agree. */
  agreedAt: number | undefined
}

function needsRepair(view: MemberView | undefined, unansweredMs: number): boolean {
  return unansweredMs >= stuckAfterMs || (view !== undefined && wokeApart(view))
}

function knownSilence(state: LabState, node: string): string | undefined {
  const fault = state.faults[node]
  if (fault !== undefined) return `it is ${participle(fault.action)}`
  const process = state.processes[node]
  return process === undefined || process.kind === 'down' ? 'it is not running' : undefined
}
