import type { Endpoint } from '@ha/core'
import { type FakeCluster, type FakeNode, startFakeCluster } from '@ha/rabbit/testing'

/** A cluster on which a fault can be played: a real lab, or the in-process one where no server can be had. */
export interface Stage {
  readonly version: string
  readonly nodes: readonly { readonly name: string; readonly endpoint: Endpoint }[]
  kill(node: string, options: { readonly forMs: number }): Promise<StageFault>
  stop(node: string, options: { readonly forMs: number }): Promise<StageFault>
  pause(node: string, options: { readonly forMs: number }): Promise<StageFault>
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
  const named = (name: string): FakeNode => nodeNamed(cluster, name)
  const startAgain = (name: string): StageFault => ({ heal: () => named(name).start() })
  return {
    version: '3.10.8 (in-process)',
    nodes: cluster.nodes.map(({ number, port }) => ({
      name: `fake${number}`,
      endpoint: { host: '127.0.0.1', port },
    })),
    kill: async (name) => {
      await named(name).kill()
      return startAgain(name)
    },
    stop: async (name) => {
      await named(name).stop()
      return startAgain(name)
    },
    pause: async (name) => {
      named(name).freeze()
      return { heal: async () => named(name).thaw() }
    },
    ready: async () => undefined,
    close: () => cluster.close(),
  }
}

function nodeNamed(cluster: FakeCluster, name: string): FakeNode {
  return cluster.node(Number(name.slice('fake'.length)))
}
