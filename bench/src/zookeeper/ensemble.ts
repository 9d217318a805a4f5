import type { FaultAction, FaultLease, Lab } from '@ha/bootstrap'
import { type Endpoint, formatEndpoint } from '@ha/core'
import { withLab } from '../harness/lab.ts'

/** How long a server may be silent before the others give it up, by default. */
export const detectMs = 1_000

/** Runs `work` on a real ensemble of three; it is gone afterwards. */
export function withEnsemble<T>(purpose: string, work: (lab: Lab) => Promise<T>): Promise<T> {
  const request = { kind: 'zookeeper', nodes: 3, detectMs } as const
  return withLab({ purpose, description: 'a ZooKeeper ensemble of three', request }, work)
}

/** Where each node is dialled, as `host:port`. */
export function endpointsOf(lab: Pick<Lab, 'nodes'>): ReadonlyMap<string, string> {
  return new Map(lab.nodes.map(({ name, endpoint }) => [name, formatEndpoint(endpoint)]))
}

/** The node that leads an ensemble in which all agree. */
export async function leaderOf(lab: Lab): Promise<string> {
  const leader = await lab.leader()
  if (leader === undefined) throw new Error('the ensemble has no leader, though all agree')
  return leader
}

/** Host and port of `host:port`. */
export function addressOf(endpoint: string): Endpoint {
  const at = endpoint.lastIndexOf(':')
  return { host: endpoint.slice(0, at), port: Number(endpoint.slice(at + 1)) }
}

/** What is done to a server, or with `client-freeze` to the process that holds the lock. */
export type FaultKind = 'kill' | 'stop' | 'pause' | 'partition' | 'client-freeze'

export const faultKinds: readonly FaultKind[] = ['kill', 'stop', 'pause', 'partition', 'client-freeze']

/** What the victim is: the leader of the ensemble, or the server that the client is attached to and that follows. */
export type Role = 'leader' | 'attached'

export const roles: readonly Role[] = ['leader', 'attached']

/** A fault of a server. */
type ServerFault = Exclude<FaultKind, 'client-freeze'>

// A leader that is cut from its peers alone still has clients, and must not serve them; the server of a client that is
// cut off from all does not respond.
const partitions: Readonly<Record<Role, FaultAction>> = { leader: 'partition', attached: 'partition-all' }

// Longer than any experiment: the experiment heals the fault itself.
const leaseMs = 600_000

/** Breaks one server. */
export function injectFault(lab: Lab, fault: ServerFault, { role, node }: Victim): Promise<FaultLease> {
  return lab.fault(fault === 'partition' ? partitions[role] : fault, node, { forMs: leaseMs })
}

/** Freezes all servers at once; the returned function wakes them and waits until all agree. */
export async function freezeAll(lab: Lab): Promise<() => Promise<void>> {
  const leases = await Promise.all(lab.nodes.map(({ name }) => lab.pause(name, { forMs: leaseMs })))
  return async () => {
    await Promise.all(leases.map((lease) => lease.heal()))
  }
}

interface Victim {
  readonly role: Role
  readonly node: string
}
