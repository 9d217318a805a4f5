/** What a server says of itself, read in one round trip. */
export interface Reading {
  /** Such as `10.11.19-MariaDB-0+deb12u1`. */
  readonly version: string
  readonly serverId: number
  readonly readOnly: boolean
  /** `innodb_flush_log_at_trx_commit`: only 1 keeps each commit through a crash. */
  readonly flushLogAtCommit: number
  /** Undefined when the server is no member of a Galera cluster. */
  readonly galera: GaleraReading | undefined
  /** Undefined when the server replicates from nobody. */
  readonly replica: ReplicaReading | undefined
}

/** What a Galera node says of itself. */
export interface GaleraReading {
  /** `wsrep_ready`: false is a node that answers 1047 to every statement on a table. */
  readonly ready: boolean
  readonly connected: boolean
  readonly status: 'Primary' | 'non-Primary' | 'Disconnected'
  /** 0 initialized, 1 joining, 2 donor or desynced, 3 joined, 4 synced, 5 error, 6 maximum: `wsrep_local_state`. */
  readonly localState: number
  readonly clusterUuid: string
  readonly clusterSize: number
  readonly localIndex: number
  readonly rejectQueries: 'NONE' | 'ALL' | 'ALL_KILL'
  readonly desync: boolean
  /** Whether the node refuses statements while it feeds another one. */
  readonly donorRejects: boolean
}

/** How far a replica is behind the server that it follows; `not-allowed` when our user may not know. */
export type ReplicaReading =
  | {
      readonly kind: 'follows'
      /** `cut-off`: it applies what it has and cannot reach its source. `stopped`: it was told to rest, or has failed. */
      readonly state: 'running' | 'cut-off' | 'stopped'
      /** Undefined while the server does not know. */
      readonly lagMs: number | undefined
    }
  /** The user has not the privilege REPLICA MONITOR. */
  | { readonly kind: 'not-allowed' }
