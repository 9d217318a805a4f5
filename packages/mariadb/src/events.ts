import type { Exhaustion, HostChange, Leak, NestedAcquire } from '@ha/core'

/** The server that takes the writes of this client is another one. */
export interface WriterChange {
  /** `host:port`. */
  readonly from: string
  readonly to: string
  /** Why the one before is not used; undefined when it is, and a better one took its place. */
  readonly error: Error | undefined
}

/** What a client tells. A listener that throws hurts only itself. */
export type MariadbEvents = {
  /** A server is believed to be in another state than before. */
  readonly host: HostChange
  /** Writes go to another server, because the one before failed. */
  readonly failover: WriterChange
  /** Writes go back to a server that stands earlier in the list and has been well for a while. */
  readonly failback: WriterChange
  /** No Galera node that answers has a quorum. */
  readonly quorumLost: { readonly error: Error }
  readonly quorumRestored: { readonly endpoint: string }
  /** The hosts belong to different clusters; only those of `used` are used. */
  readonly splitCluster: { readonly used: string; readonly others: readonly string[] }
  readonly exhausted: Exhaustion
  readonly leak: Leak
  readonly nested: NestedAcquire
  /** A call ended without anybody knowing whether it happened. */
  readonly outcomeUnknown: {
    readonly name: string
    readonly endpoint: string | undefined
    readonly token: string | undefined
  }
  /** The ledger said what became of a transaction whose COMMIT had no answer. */
  readonly outcomeResolved: { readonly token: string; readonly fate: 'committed' | 'rolled-back' }
  /** Something about the options, or about a server's settings, that deserves a look. Told once each. */
  readonly warning: { readonly text: string }
}
