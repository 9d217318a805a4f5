import { FakeEnsemble } from './fake-ensemble.ts'
import { ensembleOptions, type FakeEnsembleOptions } from './options.ts'

/** Starts a fake ZooKeeper ensemble in this process; the node with the highest number leads first. */
export async function startFakeEnsemble(options: FakeEnsembleOptions = {}): Promise<FakeEnsemble> {
  const ensemble = new FakeEnsemble(ensembleOptions(options))
  await ensemble.start()
  return ensemble
}
