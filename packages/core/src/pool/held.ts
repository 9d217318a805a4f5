import type { HaError } from '../errors/ha-error.ts'

/** One connection of a pool, from its handshake to its end. */
export interface Held<C> {
  readonly connection: C
  /** Fires when the connection is over. */
  readonly signal: AbortSignal
  /** Ends the connection at once; the first call counts. */
  readonly end: (reason: HaError) => void
  /** Clock time after which it is lent no more. */
  readonly retireAtMs: number
  /** Clock time at which it last proved itself: made, given back or probed. */
  idleSinceMs: number
}

/** What is to be done with a connection that nobody has borrowed. */
export type Upkeep = 'keep' | 'probe' | 'retire' | 'discard'

export interface UpkeepRules {
  readonly keepaliveMs: number
  readonly timeoutMs: number
  /** Whether there are more connections than must be kept. */
  readonly surplus: boolean
}

/** Decides about one idle connection. */
export function upkeepOf(held: Held<unknown>, nowMs: number, rules: UpkeepRules): Upkeep {
  const idleMs = nowMs - held.idleSinceMs
  if (held.signal.aborted) return 'discard'
  if (nowMs >= held.retireAtMs) return 'retire'
  if (rules.surplus && idleMs >= rules.timeoutMs) return 'retire'
  return idleMs >= rules.keepaliveMs ? 'probe' : 'keep'
}
