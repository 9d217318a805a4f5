import type { ProcessId } from '../machine/process-table.ts'
import type { Fault, RecordedEvent } from './events.ts'

/** The state of a process of the lab. */
export type ProcessState =
  | { readonly kind: 'down' }
  | { readonly kind: 'launching' }
  | { readonly kind: 'starting'; readonly id: ProcessId }
  | { readonly kind: 'up'; readonly id: ProcessId }

/** The phase of the lab as a whole. */
export type LabPhase =
  | { readonly kind: 'forming' }
  | { readonly kind: 'formed' }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'ended' }

/** The state that results from the journal. */
export interface LabState {
  readonly phase: LabPhase
  readonly processes: Readonly<Record<string, ProcessState>>
  /** The faults in force by node; a node has at most one. */
  readonly faults: Readonly<Record<string, Fault>>
}

/** The state of a lab before its first event. */
export const initialLabState: LabState = { phase: { kind: 'forming' }, processes: {}, faults: {} }

/** Returns the state after one more event; the same object when nothing has changed. */
export function applyEvent(state: LabState, event: RecordedEvent): LabState {
  switch (event.type) {
    case 'process-starting':
      return withProcess(state, event.process, { kind: 'launching' })
    case 'process-started':
      return withProcess(state, event.process, { kind: 'starting', id: event.id })
    case 'process-up':
      return withProcess(state, event.process, upFrom(processOf(state, event.process)))
    case 'process-ended':
      return withProcess(state, event.process, { kind: 'down' })
    case 'fault-begun':
      return { ...state, faults: { ...state.faults, [event.fault.node]: event.fault } }
    case 'fault-healed':
      return { ...state, faults: without(state.faults, event.node) }
    case 'formed':
      return { ...state, phase: { kind: 'formed' } }
    case 'failed':
      return { ...state, phase: { kind: 'failed', code: event.code, message: event.message } }
    case 'ended':
      return { ...state, phase: { kind: 'ended' } }
    case 'planned':
    case 'supervised':
    case 'working':
    case 'heal-failed':
    case 'member-repaired':
    case 'repair-failed':
    case 'recovering':
    case 'disagreed':
    case 'agreed':
      return state
  }
}

/** The state of a process; a process that was never started is down. */
export function processOf(state: LabState, process: string): ProcessState {
  return state.processes[process] ?? { kind: 'down' }
}

/**
 * Whether the cluster went down as a whole, as by a power cut: it had formed, none of its nodes runs, and at least one
 * of them was not stopped on purpose.
 */
export function isDown(
  { nodes }: { readonly nodes: readonly { readonly name: string }[] },
  state: LabState,
): boolean {
  if (state.phase.kind !== 'formed') return false
  return (
    nodes.every(({ name }) => processOf(state, name).kind === 'down') &&
    nodes.some(({ name }) => state.faults[name] === undefined)
  )
}

/** Whether nodes of a cluster that had formed ended by themselves, while no fault is in force. */
export function hasLostNodes(
  { nodes }: { readonly nodes: readonly { readonly name: string }[] },
  state: LabState,
): boolean {
  if (state.phase.kind !== 'formed' || Object.keys(state.faults).length > 0) return false
  return nodes.some(({ name }) => processOf(state, name).kind === 'down')
}

/** The identity of a process that runs. */
export function processIdOf(process: ProcessState): ProcessId | undefined {
  return process.kind === 'starting' || process.kind === 'up' ? process.id : undefined
}

function upFrom(process: ProcessState): ProcessState {
  return process.kind === 'starting' ? { kind: 'up', id: process.id } : process
}

function withProcess(state: LabState, name: string, process: ProcessState): LabState {
  return { ...state, processes: { ...state.processes, [name]: process } }
}

function without(faults: LabState['faults'], node: string): LabState['faults'] {
  return Object.fromEntries(Object.entries(faults).filter(([name]) => name !== node))
}
