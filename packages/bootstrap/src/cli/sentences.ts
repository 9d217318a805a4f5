import type { RecoveryDecision } from '../galera/recovery.ts'
import type { RecordedEvent } from '../lab/events.ts'
import { faultState } from '../lab/faults.ts'
import { formatElapsed } from '../model/duration.ts'

/** An event as one plain sentence; undefined for those that only bookkeeping needs. */
export function describeEvent(event: RecordedEvent): string | undefined {
  switch (event.type) {
    case 'planned':
      return [`planned a ${event.kind} lab, version ${event.version}`, ...event.notes].join('; ')
    case 'working':
      return event.on
    case 'process-up':
      return `${event.process} is up after ${formatElapsed(event.elapsedMs)}`
    case 'process-ended':
      return event.asked ? `${event.process} has ended` : `${event.process} has ended by itself`
    case 'fault-begun':
      return `${event.fault.node} is ${faultState(event.fault.action)} until ${clockTime(event.fault.healsAt)}`
    case 'fault-healed':
      return `${event.node} is healed${event.because === 'deadline' ? ': its time was over' : ''}`
    case 'heal-failed':
      return `${event.node} could not be healed and is tried again: ${event.because}`
    case 'member-repaired':
      return `${event.node} did not come back to the others by itself; it was restarted`
    case 'repair-failed':
      return `${event.node} is apart from the others and did not restart: ${event.because}`
    case 'recovering':
      return `${describeDecision(event.decision)}: ${event.decision.because}`
    case 'disagreed':
      return `${event.node} does not agree yet: ${event.because}`
    case 'agreed':
      return `all members agree after ${formatElapsed(event.elapsedMs)}`
    case 'formed':
      return `the cluster has formed in ${formatElapsed(event.elapsedMs)}`
    case 'failed':
      return `the lab has failed: ${event.message}`
    case 'ended':
      return 'the lab has ended'
    case 'supervised':
    case 'process-starting':
    case 'process-started':
      return undefined
  }
}

/** The time of day, as the reader's clock shows it. */
export function clockTime(at: number): string {
  return new Date(at).toTimeString().slice(0, 8)
}

/** What a decision leads to, in a few words. */
export function describeDecision(decision: RecoveryDecision): string {
  switch (decision.kind) {
    case 'join':
      return 'nothing is founded anew'
    case 'promote':
      return `${decision.node} is made the whole cluster`
    case 'reunite':
      return 'all start at once'
    case 'bootstrap':
      return `${decision.node} founds the cluster anew`
    case 'refuse':
      return 'nothing is done'
  }
}
