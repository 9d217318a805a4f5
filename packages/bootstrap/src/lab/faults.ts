import { labError } from '../model/errors.ts'
import {
  type NetworkFault,
  networkFaults,
  type PlannedNode,
  type ServerFault,
  serverFaults,
} from '../model/plan.ts'
import { checkFaultMs } from '../model/validation.ts'
import { type Fault, type FaultAction, processFaults } from './events.ts'
import { type LabState, processOf } from './state.ts'

/** How long a fault lasts when nobody says otherwise: five minutes. */
export const defaultFaultMs = 300_000

/** What a caller asks for. */
export interface FaultRequest {
  readonly node: string
  readonly action: FaultAction
  readonly forMs: number
}

/**
 * The lease that a request leads to, or an error that says why not. A node has one fault at a time: the same again
 * moves its end, a kill also takes a node that is frozen or that its server spoiled, since a start ends that; everything
 * else waits for the node to be healed.
 */
export function grantFault(state: LabState, request: FaultRequest, now: number): Fault {
  const { node, action } = request
  const forMs = checkFaultMs(request.forMs, `${action}.forMs`, defaultFaultMs)
  const current = state.faults[node]
  const refusal = conflictWith(current, action) ?? notRunning(state, current, node)
  if (refusal !== undefined) {
    throw labError('fault-refused', `${action} ${node}: ${refusal}; type: hactl resume ${node}`)
  }
  return { node, action, begunAt: now, healsAt: now + forMs }
}

/** The faults whose time is over, the oldest first. */
export function expiredFaults(state: LabState, now: number): readonly Fault[] {
  return Object.values(state.faults)
    .filter((fault) => fault.healsAt <= now)
    .sort((a, b) => a.healsAt - b.healsAt)
}

/** How a node is that has the fault. */
export type FaultState =
  | 'killed'
  | 'stopped'
  | 'paused'
  | 'isolated'
  | 'desynced'
  | 'rejecting'
  | 'read-only'
  | 'not applying'
  | 'partitioned'
  | 'cut from clients'
  | 'cut off'

const faultStates: Readonly<Record<FaultAction, FaultState>> = {
  kill: 'killed',
  stop: 'stopped',
  pause: 'paused',
  isolate: 'isolated',
  desync: 'desynced',
  'reject-queries': 'rejecting',
  'read-only': 'read-only',
  'stop-applier': 'not applying',
  partition: 'partitioned',
  'partition-clients': 'cut from clients',
  'partition-all': 'cut off',
}

/** The word for a node that has the fault. */
export function faultState(action: FaultAction): FaultState {
  return faultStates[action]
}

/** Whether the fault is one of the process: every node knows it, and answers nobody while it lasts. */
export function isProcessFault(action: FaultAction): action is (typeof processFaults)[number] {
  return (processFaults as readonly FaultAction[]).includes(action)
}

/** Whether the fault is one of the server: it is told to be so, and a restart ends it. */
export function isServerFault(action: FaultAction): action is ServerFault {
  return (serverFaults as readonly FaultAction[]).includes(action)
}

/** Whether the fault is one of the network: nothing that happens to the process ends it. */
export function isNetworkFault(action: FaultAction): action is NetworkFault {
  return (networkFaults as readonly FaultAction[]).includes(action)
}

/** The faults that a node knows. */
export function supportedFaults(node: Pick<PlannedNode, 'levers'>): readonly FaultAction[] {
  return [
    ...processFaults,
    ...[...serverFaults, ...networkFaults].filter((action) => node.levers[action] !== undefined),
  ]
}

function conflictWith(current: Fault | undefined, action: FaultAction): string | undefined {
  if (current === undefined || current.action === action) return undefined
  const isDown = current.action === 'kill' || current.action === 'stop'
  if (action === 'kill' && !isDown && !isNetworkFault(current.action)) return undefined
  return `it is ${faultState(current.action)} already`
}

function notRunning(state: LabState, current: Fault | undefined, node: string): string | undefined {
  const running = processOf(state, node).kind === 'up'
  return running || current !== undefined ? undefined : 'it is not running'
}
