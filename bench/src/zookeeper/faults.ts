import type { FaultAction, FaultLease, Lab } from '@ha/bootstrap'

/** What is done to a server, or with `client-freeze` to the process that holds the lock. */
export type FaultKind = 'kill' | 'stop' | 'pause' | 'partition' | 'client-freeze'

export const faultKinds: readonly FaultKind[] = ['kill', 'stop', 'pause', 'partition', 'client-freeze']

/** What the victim is: the leader of the ensemble, or the server that the client is attached to and that follows. */
export type Role = 'leader' | 'attached'

export const roles: readonly Role[] = ['leader', 'attached']

/** A fault of a server. */
export type ServerFault = Exclude<FaultKind, 'client-freeze'>

// A leader that is cut from its peers alone still has clients, and must not serve them; the server of a client that is
// cut from everybody says nothing at all.
const partitions: Readonly<Record<Role, FaultAction>> = { leader: 'partition', attached: 'partition-all' }

// Longer than any experiment: whoever breaks a server heals it.
const leaseMs = 600_000

/** Breaks one server. */
export function breakNode(lab: Lab, fault: ServerFault, { role, node }: Victim): Promise<FaultLease> {
  return lab.fault(fault === 'partition' ? partitions[role] : fault, node, { forMs: leaseMs })
}

/** Freezes all servers at once; the returned function wakes them and waits until all agree. */
export async function freezeAll(lab: Lab): Promise<() => Promise<void>> {
  const leases = await Promise.all(lab.nodes.map(({ name }) => lab.pause(name, { forMs: leaseMs })))
  return async () => {
    await Promise.all(leases.map((lease) => lease.heal()))
  }
}

export interface Victim {
  readonly role: Role
  readonly node: string
}
