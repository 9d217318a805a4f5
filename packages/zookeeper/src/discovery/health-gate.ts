/** How an instance finds out whether it works, and what follows from the answers. */
export interface HealthGate {
  /** Says whether the instance works; what it throws means no. It should end when the signal fires. */
  readonly check: (signal: AbortSignal) => boolean | Promise<boolean>
  /** How often it is asked, in milliseconds. Default 1 000. */
  readonly intervalMs?: number | undefined
  /** How long an answer may take, in milliseconds, at most `intervalMs`: no answer means no. Default: `intervalMs`. */
  readonly timeoutMs?: number | undefined
  /** How many noes in a row withdraw it. Default 3. */
  readonly failures?: number | undefined
  /** How many yeses in a row it takes to come back. Default 2. */
  readonly successes?: number | undefined
  /**
   * How long there must not be a single no before it comes back, in milliseconds: what flaps faster than this is
   * withdrawn once and stays away. Default 10 000.
   */
  readonly minDwellMs?: number | undefined
}
