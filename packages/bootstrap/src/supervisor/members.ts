import { join } from 'node:path'
import type { Clock } from '@ha/core'
import { readView as readGaleraView } from '../galera/probe.ts'
import { faultState, isProcessFault } from '../lab/faults.ts'
import type { Journal } from '../lab/journal.ts'
import type { LabState } from '../lab/state.ts'
import { logTail } from '../machine/lab-folder.ts'
import { runCommand } from '../machine/run-command.ts'
import { labError } from '../model/errors.ts'
import {
  assessAgreement,
  type MemberAnswer,
  type MembershipAgreement,
  type MemberView,
} from '../model/membership.ts'
import type { KindName, LabPlan, PlannedNode } from '../model/plan.ts'
import { readView as readRabbitView, repairRefusal } from '../rabbitmq/probe.ts'
import { readView as readReplicationView } from '../replication/probe.ts'
import { readView as readZookeeperView } from '../zookeeper/probe.ts'
import { logExcerptLines } from './processes.ts'

// A healthy member answers within 5 to 30 ms.
const answerTimeoutMs = 1500
const askEveryMs = 200
// A broker looks at its memory and its disk every few seconds.
const shortagePatienceMs = 10_000

/** The members of a cluster. Each is asked for its own view. */
export class Members {
  readonly #plan: LabPlan
  readonly #journal: Journal
  readonly #clock: Clock

  constructor(plan: LabPlan, journal: Journal, clock: Clock) {
    this.#plan = plan
    this.#journal = journal
    this.#clock = clock
  }

  /** Returns what every member answers now, in the order of the plan. */
  probe(): Promise<readonly MemberAnswer[]> {
    return Promise.all(
      this.#plan.nodes.map(async (node) => ({ member: node.member, view: await this.#probeOne(node) })),
    )
  }

  /** Waits until all members agree; at the deadline the error names a member that does not, with the end of its log. */
  async waitForAgreement(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const begun = this.#clock.now()
    let last = ''
    for (;;) {
      const answers = await this.probe()
      const agreement = assessAgreement(answers)
      const elapsedMs = Math.round(this.#clock.now() - begun)
      if (agreement.kind === 'agreed') {
        this.#journal.record({ type: 'agreed', elapsedMs })
        return
      }
      const node = this.#nodeOf(agreement.member)
      if (last !== agreement.because) {
        this.#journal.record({ type: 'disagreed', node, because: agreement.because })
      }
      last = agreement.because
      if (this.#cannotForm(node, answers, elapsedMs)) throw this.#notAgreed(node, agreement, elapsedMs)
      if (elapsedMs >= timeoutMs) throw this.#notAgreed(node, agreement, timeoutMs)
      await this.#clock.sleep(askEveryMs, signal)
    }
  }

  async #probeOne(node: PlannedNode): Promise<MemberView> {
    const known = knownDown(this.#journal.state, node.name)
    if (known !== undefined) return { kind: 'silent', because: known }
    if (node.ask === null) return { kind: 'vouched', role: 'arbitrator', history: null }
    const { status, stdout } = await runCommand(node.ask, { timeoutMs: answerTimeoutMs })
    if (status === null) return { kind: 'silent', because: `it did not answer within ${answerTimeoutMs} ms` }
    if (status !== 0) return { kind: 'starting', because: 'it does not accept queries yet' }
    return answerParsers[this.#plan.kind].readView(stdout)
  }

  // No fault is possible yet: a node that ended did so by itself and nothing starts it again, and a shortage that lasts
  // does not end by waiting.
  #cannotForm(node: string, answers: readonly MemberAnswer[], elapsedMs: number): boolean {
    const { phase, processes } = this.#journal.state
    if (phase.kind !== 'forming') return false
    const isShort = answers.some(({ view }) => view.kind === 'answered' && view.alarms !== undefined)
    return processes[node]?.kind === 'down' || (isShort && elapsedMs >= shortagePatienceMs)
  }

  #nodeOf(member: string): string {
    return this.#plan.nodes.find((node) => node.member === member)?.name ?? member
  }

  #notAgreed(
    node: string,
    agreement: Extract<MembershipAgreement, { kind: 'disagreed' }>,
    timeoutMs: number,
  ): Error {
    const planned = this.#plan.processes.find((process) => process.name === node)
    const log = join(this.#plan.folder, planned?.log ?? '')
    const tail = logTail(log, logExcerptLines).join('\n')
    return labError(
      'not-agreed',
      `${node} does not agree with the others after ${timeoutMs} ms: ${agreement.because}; the end of ${log}:\n${tail}`,
    )
  }
}

function knownDown(state: LabState, node: string): string | undefined {
  const fault = state.faults[node]
  if (fault !== undefined && isProcessFault(fault.action)) return `it is ${faultState(fault.action)}`
  const process = state.processes[node]
  return process === undefined || process.kind === 'down' ? 'it is not running' : undefined
}

/** Reads the output of a member's commands; one for each kind of cluster. */
interface AnswerParser {
  readView(output: string): MemberView
  /** Why the repair command of a member failed; undefined when it succeeded. */
  repairRefusal(output: string): string | undefined
}

/** The readers of all kinds. */
export const answerParsers: Readonly<Record<KindName, AnswerParser>> = {
  rabbitmq: { readView: readRabbitView, repairRefusal },
  galera: { readView: readGaleraView, repairRefusal: () => undefined },
  replication: { readView: readReplicationView, repairRefusal: () => undefined },
  zookeeper: { readView: readZookeeperView, repairRefusal: () => undefined },
}
