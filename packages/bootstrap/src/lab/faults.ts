import { labError } from '../model/codes.ts'
import { checkFaultMs } from '../model/limits.ts'
import type { Fault, FaultAction } from './events.ts'
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
 * moves its end, a kill also takes a frozen node, everything else waits for the node to be healed.
 */
export function grantFault(state: LabState, request: FaultRequest, now: number): Fault {
  const { node, action } = request
  const forMs = checkFaultMs(request.forMs, `${action}.forMs`, defaultFaultMs)
  const current = state.faults[node]
  const refusal = refusalOf(current, action) ?? downRefusal(state, current, node)
  if (refusal !== undefined) {
    throw labError('fault-refused', `${action} ${node}: ${refusal}; type: hactl resume ${node}`)
  }
  return { node, action, begunAt: now, healsAt: now + forMs }
}

/** The faults whose time is over, the oldest first. */
export function overdue(state: LabState, now: number): readonly Fault[] {
  return Object.values(state.faults)
    .filter((fault) => fault.healsAt <= now)
    .sort((a, b) => a.healsAt - b.healsAt)
}

/** `killed`, `stopped`, `paused`. */
export function participle(action: FaultAction): string {
  const words = { kill: 'killed', stop: 'stopped', pause: 'paused' } as const
  return words[action]
}

function refusalOf(current: Fault | undefined, action: FaultAction): string | undefined {
  if (current === undefined || current.action === action) return undefined
  if (current.action === 'pause' && action === 'kill') return undefined
  return `it is ${participle(current.action)} already`
}

function downRefusal(state: LabState, current: Fault | undefined, node: string): string | undefined {
  const running = processOf(state, node).kind === 'up'
  return running || current !== undefined ? undefined : 'it is not running'
}
