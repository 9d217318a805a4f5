import type { Endpoint } from '@ha/core'
import { type FakeCluster, type FakeNode, startFakeCluster } from '@ha/testing/rabbit'
import type { FaultKind } from './faults.ts'

/** A cluster on which a fault can be played: a real lab, or the in-process one where no server can be had. */
export interface Stage {
  readonly version: string
  readonly nodes: readonly { readonly name: string; readonly endpoint: Endpoint }[]
  fault(kind: FaultKind, node: string, options: { readonly forMs: number }): Promise<StageFault>
  /** The name of the node that leads a queue; the in-process cluster has no leaders. */
  readonly leaderOf?: (queue: string) => Promise<string | undefined>
  /** Resolves when all nodes are there and agree. */
  ready(): Promise<void>
}

/** A fault in force. */
export interface StageFault {
  heal(): Promise<void>
}

/** The in-process cluster of `@ha/rabbit/testing` as a stage: real sockets, no server. */
export async function fakeStage(): Promise<Stage & { close(): Promise<void> }> {
  // The others take a frozen node for dead after four ticks of a second, as the lab does with `--detect 1s`.
  const cluster = await startFakeCluster({ nodes: 3, downAfterMs: 4_000 })
  return {
    version: '3.10.8 (in-process)',
    nodes: cluster.nodes.map(({ number, port }) => ({
      name: `fake${number}`,
      endpoint: { host: '127.0.0.1', port },
    })),
    fault: (kind, name) => breakFake(kind, nodeNamed(cluster, name)),
    ready: async () => undefined,
    close: () => cluster.close(),
  }
}

async function breakFake(kind: FaultKind, node: FakeNode): Promise<StageFault> {
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

function nodeNamed(cluster: FakeCluster, name: string): FakeNode {
  return cluster.node(Number(name.slice('fake'.length)))
}
