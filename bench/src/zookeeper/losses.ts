import type { CastVerdict } from './cast.ts'
import type { OutageVerdict } from './outages.ts'

/** What a series of outages came to: each of them, and what the lock, the registry and the caches saw of all. */
export interface Losses {
  readonly sessionTimeoutMs: number
  readonly outages: readonly OutageVerdict[]
  readonly cast: CastVerdict
}
