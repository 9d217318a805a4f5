import type { RequestScript } from '../rules.ts'
import type { Consensus } from './consensus.ts'
import type { FakeEnsembleOptions } from './options.ts'
import type { Quorum } from './quorum.ts'
import type { RequestLog } from './request-log.ts'

/** What a node needs from its ensemble. */
export interface EnsembleNodeDeps {
  readonly options: Required<FakeEnsembleOptions>
  readonly consensus: Consensus
  readonly quorum: Quorum
  readonly script: RequestScript
  readonly log: RequestLog
  /** Gives a new connection its number. */
  readonly nextConnection: () => number
}
