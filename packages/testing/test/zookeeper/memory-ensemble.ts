import { FakeClock, settle } from '@ha/core/testing'
import { type FakeEnsemble, type FakeEnsembleOptions, startFakeEnsemble } from '../../src/zookeeper/index.ts'
import { type Grant, type Hello, RawClient } from './raw-client.ts'
import type { HarnessOptions } from './scenarios/harness.ts'

/** An ensemble in virtual time and without a socket. */
export interface MemoryEnsemble extends AsyncDisposable {
  readonly ensemble: FakeEnsemble
  readonly clock: FakeClock
  /** A client of a node that has said nothing yet. */
  stranger(node?: number): Promise<RawClient>
  /** A client of a node with a session of four seconds unless told otherwise. */
  client(node?: number, hello?: Hello): Promise<RawClient & { readonly grant: Grant }>
}

/** Starts an ensemble in memory. */
export async function startMemoryEnsemble(options: FakeEnsembleOptions = {}): Promise<MemoryEnsemble> {
  const clock = new FakeClock()
  const ensemble = await startFakeEnsemble({ clock, listens: false, ...options })
  const stranger = async (node = 1): Promise<RawClient> =>
    new RawClient(await ensemble.dial(ensemble.node(node).endpoint, new AbortController().signal))
  return {
    ensemble,
    clock,
    stranger,
    client: async (node = 1, hello = {}) => {
      const client = await stranger(node)
      const grant = await client.hello({ timeoutMs: 4_000, ...hello })
      if (grant === undefined) throw new Error(`node ${node} ended the connection`)
      return Object.assign(client, { grant })
    },
    [Symbol.asyncDispose]: () => ensemble.close(),
  }
}

/** An ensemble in memory as a stage. */
export function memoryHarness({ ensemble }: MemoryEnsemble): HarnessOptions {
  return {
    dial: (node) => ensemble.dial(ensemble.node(node).endpoint, new AbortController().signal),
    arrive: settle,
  }
}
