import type { Verdict } from '../errors/classification.ts'

/** What is to be done, and what may be done about it. */
export interface Operation {
  /** What it is called in errors and diagnostics. */
  readonly name: string
  /** The one deadline: waiting for a connection, every try and every pause are inside it. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Whether twice is harmless. Only the caller knows. */
  readonly repeatable: boolean
  /**
   * What a try may have done whose end nobody saw, asked when its connection is lost or its time is up. Default:
   * `unknown`. A transaction knows better until it sends COMMIT.
   */
  readonly effectIfLost?: () => Verdict['effect']
}
