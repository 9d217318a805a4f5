import type { Lab } from '@ha/bootstrap'
import { type Endpoint, formatEndpoint } from '@ha/core'
import { withLab } from '../harness/lab.ts'

/** How long a server may be silent before the others give it up, when nobody says otherwise. */
export const detectMs = 1_000

/** Runs `work` on a real ensemble of three; it is gone afterwards. */
export function withEnsemble<T>(purpose: string, work: (lab: Lab) => Promise<T>): Promise<T> {
  const wanted = { kind: 'zookeeper', nodes: 3, detectMs } as const
  return withLab({ purpose, words: 'a ZooKeeper ensemble of three', wanted }, work)
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
