import { formatEndpoint } from '@ha/core'
import { faultState } from '../lab/faults.ts'
import { type LabState, processIdOf, processOf } from '../lab/state.ts'
import { assessAgreement, type MemberAnswer, type MemberView } from '../model/membership.ts'
import type { LabPlan, PlannedNode } from '../model/plan.ts'
import type { Fault } from './events.ts'
import type { FaultState } from './faults.ts'
import type { LabPhase } from './state.ts'

/** The state of a node, as shown to users. */
export type LabNodeState = 'running' | 'starting' | 'down' | FaultState

/** A node as `status` shows it. */
export interface NodeStatus {
  readonly name: string
  /** `host:port`, for applications. */
  readonly endpoint: string
  readonly standing: LabNodeState
  readonly pid: number | null
  readonly fault: Fault | null
  readonly view: MemberView
}

/** A lab as `status` shows it. */
export interface LabStatus {
  readonly lab: string
  readonly kind: string
  readonly version: string
  readonly phase: LabPhase
  readonly agreed: boolean
  /** Why the members do not agree; empty when they do. */
  readonly because: string
  readonly url: string
  readonly folder: string
  readonly nodes: readonly NodeStatus[]
}

/** Combines the state of the journal with what the members answered. */
export function statusOf(plan: LabPlan, state: LabState, answers: readonly MemberAnswer[]): LabStatus {
  const agreement = assessAgreement(answers)
  return {
    lab: plan.lab,
    kind: plan.kind,
    version: plan.version,
    phase: state.phase,
    agreed: agreement.kind === 'agreed',
    because: agreement.kind === 'agreed' ? '' : `${agreement.member}: ${agreement.because}`,
    url: plan.url,
    folder: plan.folder,
    nodes: plan.nodes.map((node) => nodeStatus(node, state, viewOf(node, answers))),
  }
}

/** The status of a lab without a supervisor, whose members cannot be asked. */
export function statusWithoutSupervisor(plan: LabPlan, state: LabState): LabStatus {
  const view: MemberView = { kind: 'silent', because: 'the lab is not running' }
  return statusOf(
    plan,
    state,
    plan.nodes.map((node) => ({ member: node.member, view })),
  )
}

function nodeStatus(node: PlannedNode, state: LabState, view: MemberView): NodeStatus {
  const process = processOf(state, node.name)
  const fault = state.faults[node.name]
  return {
    name: node.name,
    endpoint: formatEndpoint(node),
    standing: fault === undefined ? processStates[process.kind] : faultState(fault.action),
    pid: processIdOf(process)?.pid ?? null,
    fault: fault ?? null,
    view,
  }
}

const processStates = { down: 'down', launching: 'starting', starting: 'starting', up: 'running' } as const

function viewOf(node: PlannedNode, answers: readonly MemberAnswer[]): MemberView {
  const answer = answers.find(({ member }) => member === node.member)
  return answer?.view ?? { kind: 'silent', because: 'it was not asked' }
}
