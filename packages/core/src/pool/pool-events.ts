import type { Health } from '../model/member.ts'

/** An endpoint is believed to be in another state than before. */
export interface HostChange {
  readonly endpoint: string
  readonly from: Health
  readonly to: Health
  /** The last failure, when that is the reason. */
  readonly error: Error | undefined
}

/** All connections to an endpoint ended at once, because it went down, left the list, or the pool was closed. */
export interface GenerationOver {
  readonly endpoint: string
  readonly generation: number
  /** How many of them somebody had borrowed. */
  readonly borrowed: number
  readonly idle: number
  readonly error: Error
}

/** An acquire was turned away, or gave up waiting, while every connection was in use. */
export interface Exhaustion {
  readonly endpoint: string
  readonly error: Error
}

/** A lease is held for longer than `leakAfterMs`. */
export interface Leak {
  readonly endpoint: string
  readonly heldMs: number
  /** Where it was borrowed. */
  readonly stack: string
}

/** Somebody who holds a connection waits for another one from the same endpoint: enough of them wait for ever. */
export interface NestedAcquire {
  readonly endpoint: string
  readonly stack: string
}

export type PoolEvents = {
  readonly host: HostChange
  readonly generationOver: GenerationOver
  /** Told once, until a lease is given back. */
  readonly exhausted: Exhaustion
  /** Told once for each lease. */
  readonly leak: Leak
  /** Told once. */
  readonly nested: NestedAcquire
}
