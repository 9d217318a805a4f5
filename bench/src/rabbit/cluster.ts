import type { Lab } from '@ha/bootstrap'
import type { Endpoint } from '@ha/core'
import { type FakeCluster, type FakeNode, startFakeCluster } from '@ha/testing/rabbit'
import { withLab } from '../harness/lab.ts'

/** A cluster on which a fault can be played: a real lab, or the in-process one where no server can be had. */
export interface TestCluster {
  readonly version: string
  readonly nodes: readonly { readonly name: string; readonly endpoint: Endpoint }[]
  fault(kind: FaultKind, node: string, options: { readonly forMs: number }): Promise<ActiveFault>
  /** The name of the node that leads a queue; the in-process cluster has no leaders. */
  readonly leaderOf?: (queue: string) => Promise<string | undefined>
  /** Resolves when all nodes are there and agree. */
  ready(): Promise<void>
}

/** A fault in force. */
interface ActiveFault {
  heal(): Promise<void>
}

/** The in-process cluster of `@ha/rabbit/testing` as a stage: real sockets, no server. */
export async function inProcessCluster(): Promise<TestCluster & { close(): Promise<void> }> {
  // The others take a frozen node for dead after four ticks of a second, as the lab does with `--detect 1s`.
  const cluster = await startFakeCluster({ nodes: 3, downAfterMs: 4_000 })
  return {
    version: '3.10.8 (in-process)',
    nodes: cluster.nodes.map(({ number, port }) => ({
      name: `fake${number}`,
      endpoint: { host: '127.0.0.1', port },
    })),
    fault: (kind, name) => injectFault(kind, fakeNode(cluster, name)),
    ready: async () => undefined,
    close: () => cluster.close(),
  }
}

async function injectFault(kind: FaultKind, node: FakeNode): Promise<ActiveFault> {
  switch (kind) {
    case 'kill':
      await node.kill()
      return { heal: () => node.start() }
    case 'stop':
      await node.stop()
      return { heal: () => node.start() }
    case 'pause':
      node.freeze()
      return { heal: async () => node.thaw() }
    case 'partition':
      throw new Error('the nodes of the in-process cluster share one memory: none can be cut off')
  }
}

function fakeNode(cluster: FakeCluster, name: string): FakeNode {
  return cluster.node(Number(name.slice('fake'.length)))
}

/** Runs `work` on a real RabbitMQ cluster of three with timers that fit a client (1 s); it is gone afterwards. */
export function withRabbitCluster<T>(purpose: string, work: (lab: Lab) => Promise<T>): Promise<T> {
  const request = { kind: 'rabbitmq', nodes: 3, detectMs: 1_000 } as const
  return withLab({ purpose, description: 'a RabbitMQ cluster of three', request }, work)
}

/** What is done to a node. */
export type FaultKind = 'kill' | 'stop' | 'pause' | 'partition'

export const faultKinds: readonly FaultKind[] = ['kill', 'stop', 'pause', 'partition']

/** How an experiment with a fault is timed. */
interface FaultTiming {
  /** How long the node is away unless it is healed earlier. */
  readonly leaseMs: number
  /** How long it is away at the least. */
  readonly holdMs: number
  /** How long the clients may take to come back. */
  readonly recoveryMs: number
  /** How long after one attempt of the probe the next one begins beside it. */
  readonly probeEveryMs: number
}

// Longer than any experiment: the experiment heals the fault itself.
const untilHealed: FaultTiming = { leaseMs: 120_000, holdMs: 0, recoveryMs: 20_000, probeEveryMs: 20 }

/**
 * The timing of a fault. A node that is frozen or cut off closes no connection: it is silent for `silentMs`, so
 * that all who wait for its word notice, and then it is back by itself.
 */
export function timingOf(fault: FaultKind, silentMs: number): FaultTiming {
  if (fault === 'kill' || fault === 'stop') return untilHealed
  // A probe every 20 ms after a freeze held the cluster's own recovery back from 5 s to 8 s; every 250 ms did not.
  return { leaseMs: silentMs, holdMs: silentMs, recoveryMs: silentMs + 10_000, probeEveryMs: 250 }
}
