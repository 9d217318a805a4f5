import { formatEndpoint } from '@ha/core'
import { faultState } from '../lab/faults.ts'
import { idOf, type LabState, processOf } from '../lab/state.ts'
import type { LabStatus, NodeStatus } from '../lab/wire.ts'
import { judgeAgreement, type MemberAnswer, type MemberView } from '../model/agreement.ts'
import type { Plan, PlannedNode } from '../model/plan.ts'

/** What `status` shows: the journal's state and what the members answered, put side by side. */
export function statusOf(plan: Plan, state: LabState, answers: readonly MemberAnswer[]): LabStatus {
  const agreement = judgeAgreement(answers)
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

/** The same for a lab that nobody can ask: one that failed or has no supervisor. */
export function statusWithoutSupervisor(plan: Plan, state: LabState): LabStatus {
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
    pid: idOf(process)?.pid ?? null,
    fault: fault ?? null,
    view,
  }
}

const processStates = { down: 'down', launching: 'starting', starting: 'starting', up: 'running' } as const

function viewOf(node: PlannedNode, answers: readonly MemberAnswer[]): MemberView {
  const answer = answers.find(({ member }) => member === node.member)
  return answer?.view ?? { kind: 'silent', because: 'it was not asked' }
}
