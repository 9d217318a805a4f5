/** A RabbitMQ policy: the queues that it matches and the settings that it applies. */
export interface Policy {
  readonly name: string
  /** A regular expression that is matched against queue names. */
  readonly pattern: string
  readonly definition: Readonly<Record<string, string | number>>
}

/** The RabbitMQ cluster that the user wants. Everything but the kind has a default. */
export interface RabbitTopology {
  readonly kind: 'rabbitmq'
  /** The number of nodes, or their names. Default 3: `rabbit1`, `rabbit2`, `rabbit3`. */
  readonly nodes?: number | readonly string[]
  /**
   * The interval of the servers' liveness ticks in milliseconds; a peer is given up after four silent ticks. Default:
   * the server's own 15 s.
   */
  readonly detectMs?: number
  /** Virtual hosts in addition to `/`. Default none. */
  readonly vhosts?: readonly string[]
  /** Policies that every virtual host gets. Default `ha-all` on `^ha\.`, where the version supports mirroring. */
  readonly policies?: readonly Policy[]
  /** The first of the lab's ports. Default: a free block that stays the same for the same lab. */
  readonly basePort?: number
}

/** The Galera cluster of MariaDB servers that the user wants. Everything but the kind has a default. */
export interface GaleraTopology {
  readonly kind: 'galera'
  /** The number of nodes with data, or their names. Default 3: `db1`, `db2`, `db3`; with an arbitrator 2. */
  readonly nodes?: number | readonly string[]
  /** Adds a member `garb` that votes and has no data. Default false. */
  readonly arbitrator?: boolean
  /** How long a member may be silent before the others suspect it, in milliseconds. Default: the server's own 5 s. */
  readonly detectMs?: number
  /** The first of the lab's ports. Default: a free block that stays the same for the same lab. */
  readonly basePort?: number
}

/** The MariaDB primary with replicas following by GTID that the user wants. Everything but the kind has a default. */
export interface ReplicationTopology {
  readonly kind: 'replication'
  /** The number of servers, or their names; the first is the primary. Default 3: `db1`, `db2`, `db3`. */
  readonly nodes?: number | readonly string[]
  /** How long a primary may be silent before a replica reconnects, in milliseconds. Default: the server's own 60 s. */
  readonly detectMs?: number
  /** The first of the lab's ports. Default: a free block that stays the same for the same lab. */
  readonly basePort?: number
}

/** The ensemble of ZooKeeper servers that the user wants. Everything but the kind has a default. */
export interface ZookeeperTopology {
  readonly kind: 'zookeeper'
  /** The number of servers, or their names. Default 3: `zk1`, `zk2`, `zk3`. A single server runs standalone. */
  readonly nodes?: number | readonly string[]
  /** How long a server may be silent before the others give it up, in milliseconds. Default: the usual 10 s. */
  readonly detectMs?: number
  /** The first of the lab's ports. Default: a free block that stays the same for the same lab. */
  readonly basePort?: number
}

/** The cluster that the user wants, of any kind that hactl can start. */
export type LabTopology = RabbitTopology | GaleraTopology | ReplicationTopology | ZookeeperTopology
