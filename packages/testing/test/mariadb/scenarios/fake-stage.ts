import type { FakeCluster } from '../../../src/mariadb/index.ts'
import type { StageOptions } from './stage.ts'

/** The part of a fake cluster that a stage needs, whether it comes from the sources or from what is built. */
export type Stageable = Pick<FakeCluster, 'endpoints'> & {
  node(number: number): Pick<ReturnType<FakeCluster['node']>, 'isolate' | 'recover' | 'pause' | 'resume'>
}

/** A fake cluster as a stage. */
export function fakeStage(cluster: Stageable): StageOptions {
  return {
    endpoints: cluster.endpoints,
    isolate: async (number) => {
      cluster.node(number).isolate()
      return async () => {
        cluster.node(number).recover()
        await rejoined()
      }
    },
    pause: async (number) => {
      cluster.node(number).pause()
      return async () => {
        cluster.node(number).resume()
        await rejoined()
      }
    },
  }
}

// A node is a member again after 100 ms.
function rejoined(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 200))
}
