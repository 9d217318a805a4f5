/** A policy of the broker: which queues it catches, and what it asks for. */
export interface Policy {
  readonly name: string
  /** A regular expression over queue names. */
  readonly pattern: string
  readonly definition: Readonly<Record<string, string | number>>
}

/** A RabbitMQ cluster, as the user wants it. Everything but the kind has a default. */
export interface RabbitTopology {
  readonly kind: 'rabbitmq'
  /** How many nodes, or their names. Default 3: `rabbit1`, `rabbit2`, `rabbit3`. */
  readonly nodes?: number | readonly string[]
  /** How soon the servers tick for signs of life; four silent ticks give a peer up. Default: the server's own 15 s. */
  readonly detectMs?: number
  /** Virtual hosts beside `/`. Default none. */
  readonly vhosts?: readonly string[]
  /** Policies that every virtual host gets. Default `ha-all` on `^ha\.`, where the version knows mirroring. */
  readonly policies?: readonly Policy[]
  /** The first of the lab's ports. Default: a free block that stays the same for the same lab. */
  readonly basePort?: number
}

/** A Galera cluster of MariaDB servers, as the user wants it. Everything but the kind has a default. */
export interface GaleraTopology {
  readonly kind: 'galera'
  /** How many nodes with data, or their names. Default 3: `db1`, `db2`, `db3`; with an arbitrator 2. */
  readonly nodes?: number | readonly string[]
  /** A member `garb` that votes and has no data. Default false. */
  readonly arbitrator?: boolean
  /** How long a member may be silent before the others suspect it. Default: the server's own 5 s. */
  readonly detectMs?: number
  /** The first of the lab's ports. Default: a free block that stays the same for the same lab. */
  readonly basePort?: number
}

/** A MariaDB primary with replicas that follow it by GTID, as the user wants it. Everything but the kind has a default. */
export interface ReplicationTopology {
  readonly kind: 'replication'
  /** How many servers, or their names; the first is the primary. Default 3: `db1`, `db2`, `db3`. */
  readonly nodes?: number | readonly string[]
  /** How long a primary may be silent before a replica dials it again. Default: the server's own 60 s. */
  readonly detectMs?: number
  /** The first of the lab's ports. Default: a free block that stays the same for the same lab. */
  readonly basePort?: number
}

/** An ensemble of ZooKeeper servers, as the user wants it. Everything but the kind has a default. */
export interface ZookeeperTopology {
  readonly kind: 'zookeeper'
  /** How many servers, or their names. Default 3: `zk1`, `zk2`, `zk3`. One runs standalone. */
  readonly nodes?: number | readonly string[]
  /** How long a server may be silent before the others give it up. Default: the usual 10 s. */
  readonly detectMs?: number
  /** The first of the lab's ports. Default: a free block that stays the same for the same lab. */
  readonly basePort?: number
}

/** What the user wants, of any kind that hactl can start. */
export type Topology = RabbitTopology | GaleraTopology | ReplicationTopology | ZookeeperTopology
