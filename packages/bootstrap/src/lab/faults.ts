import type { MachineUptime } from '../machine/host.ts'
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

/** The default duration of a fault: five minutes. */
export const defaultFaultMs = 300_000

/** The fault that a caller asks for. */
export interface FaultRequest {
  readonly node: string
  readonly action: FaultAction
  readonly forMs: number
}

/**
 * Returns the lease for a request, or throws an error with the reason. A node has one fault at a time: the same fault
 * again moves its deadline; a kill is also granted for a node that is paused or has a server fault, since a restart
 * ends those; everything else is refused until the node is healed.
 */
export function grantFault(
  state: LabState,
  request: FaultRequest,
  now: number,
  uptime?: MachineUptime,
): Fault {
  const { node, action } = request
  const forMs = checkFaultMs(request.forMs, `${action}.forMs`, defaultFaultMs)
  const current = state.faults[node]
  const refusal = conflictWith(current, action) ?? notRunning(state, current, node)
  if (refusal !== undefined) {
    throw labError('fault-refused', `${action} ${node}: ${refusal}; run: hactl resume ${node}`)
  }
  const healsAtUptime = uptime && { boot: uptime.boot, ms: uptime.ms + forMs }
  return { node, action, begunAt: now, healsAt: now + forMs, ...(healsAtUptime && { healsAtUptime }) }
}

/**
 * The faults whose deadline has passed, the earliest first. The time since the start of the machine decides, since the
 * time of day may be set; after another start only the time of day is left.
 */
export function expiredFaults(state: LabState, now: number, uptime?: MachineUptime): readonly Fault[] {
  return Object.values(state.faults)
    .filter(({ healsAt, healsAtUptime }) =>
      uptime !== undefined && healsAtUptime?.boot === uptime.boot
        ? healsAtUptime.ms <= uptime.ms
        : healsAt <= now,
    )
    .sort((a, b) => a.healsAt - b.healsAt)
}

/** The state of a node that has a fault, as shown to users. */
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

/** The state of a node that has this fault. */
export function faultState(action: FaultAction): FaultState {
  return faultStates[action]
}

/** Whether the fault concerns the process: every node supports it, and does not answer while it lasts. */
export function isProcessFault(action: FaultAction): action is (typeof processFaults)[number] {
  return (processFaults as readonly FaultAction[]).includes(action)
}

/** Whether the fault is one that the server inflicts on itself; a restart ends it. */
export function isServerFault(action: FaultAction): action is ServerFault {
  return (serverFaults as readonly FaultAction[]).includes(action)
}

/** Whether the fault concerns the network; a restart of the process does not end it. */
export function isNetworkFault(action: FaultAction): action is NetworkFault {
  return (networkFaults as readonly FaultAction[]).includes(action)
}

/** The faults that a node supports. */
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
  return `it is already ${faultState(current.action)}`
}

function notRunning(state: LabState, current: Fault | undefined, node: string): string | undefined {
  const running = processOf(state, node).kind === 'up'
  return running || current !== undefined ? undefined : 'it is not running'
}
