/** How a client fared whose server was frozen. */
export interface Frozen {
  readonly name: string
  readonly writesPerSecond: number
  /** From the freeze until it was attached to another server; undefined when it was not before the thaw. */
  readonly movedAfterMs: number | undefined
  readonly isSessionKept: boolean
  /** Whether its ephemeral, made before the freeze, was there all the time. */
  readonly isEphemeralKept: boolean
  /** Whether it was told of a change that was made by others during the freeze, before the thaw. */
  readonly isWatchTold: boolean
  /** The longest that a call took; undefined when there was none. */
  readonly longestCallMs: number | undefined
  readonly unsettled: number
  readonly failed: number
  readonly unhandled: readonly string[]
}
