import type { FaultAction, FaultLease, Lab } from '@ha/bootstrap'

/** What is done to a server, or with `restart` to all of them in turn. */
export type FaultKind = 'kill' | 'stop' | 'pause' | 'isolate' | 'partition' | 'drain' | 'restart'

export const faultKinds: readonly FaultKind[] = [
  'kill',
  'stop',
  'pause',
  'isolate',
  'partition',
  'drain',
  'restart',
]

const actions: Readonly<Record<Exclude<FaultKind, 'restart'>, FaultAction>> = {
  kill: 'kill',
  stop: 'stop',
  pause: 'pause',
  isolate: 'isolate',
  partition: 'partition',
  drain: 'reject-queries',
}

// Longer than any experiment: whoever breaks a server heals it.
const leaseMs = 120_000

/** Breaks one server. */
export function breakNode(lab: Lab, kind: keyof typeof actions, node: string): Promise<FaultLease> {
  return lab.fault(actions[kind], node, { forMs: leaseMs })
}

/** Stops each server politely and starts it again, one after the other. */
export async function restartAll(lab: Lab): Promise<void> {
  for (const { name } of lab.nodes) {
    await lab.restart(name)
    await lab.ready()
  }
}
