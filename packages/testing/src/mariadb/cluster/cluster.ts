import type { Duplex } from 'node:stream'
import { type Clock, type Endpoint, HaError } from '@ha/core'
import { sameEndpoint } from '@ha/core/driver'
import { nodeByNumber } from '../../server/nodes.ts'
import { Script } from '../../server/script.ts'
import { type CommandLog, commandLog } from '../command-log.ts'
import type { Membership, ReplicationGroup } from '../engine/membership.ts'
import { Server } from '../engine/server.ts'
import { Session } from '../engine/session.ts'
import { Store } from '../engine/store.ts'
import { type CommandScript, commandInterpreter, type Rule } from '../rules.ts'
import { execute, isSupported } from '../sql/execute.ts'
import type { Value } from '../wire/values.ts'
import { FakeNode, type NodeDeps } from './node.ts'
import {
  type FakeGaleraOptions,
  type FakeReplicationOptions,
  type FakeServerOptions,
  galeraOptions,
  replicationOptions,
  serverOptions,
} from './options.ts'
import { GaleraGroup, PrimaryWithReplicas } from './replication-groups.ts'

/** Starts one fake MariaDB server in this process. */
export function startFakeServer(options: FakeServerOptions = {}): Promise<FakeCluster> {
  const resolved = serverOptions(options)
  return startCluster({
    nodes: 1,
    options: resolved,
    group: (deps) => new PrimaryWithReplicas({ ...deps, lagMsOf: () => 0 }),
    variables: () => ({}),
  })
}

/** Starts fake servers that form a Galera cluster: all of them write, and a commit on one is on all. */
export function startFakeGalera(options: FakeGaleraOptions = {}): Promise<FakeCluster> {
  const { nodes, viewChangeMs, rejoinMs, ...resolved } = galeraOptions(options)
  return startCluster({
    nodes,
    options: resolved,
    group: (deps) => new GaleraGroup({ ...deps, viewChangeMs, rejoinMs }),
    variables: () => ({ wsrep_on: 'ON', wsrep_cluster_name: 'fake' }),
  })
}

/** Starts a fake primary, node 1, and its replicas, which are `read_only` and follow with their `lagMs`. */
export async function startFakeReplication(options: FakeReplicationOptions = {}): Promise<FakeCluster> {
  const { replicas, ...resolved } = replicationOptions(options)
  const cluster: FakeCluster = await startCluster({
    nodes: replicas + 1,
    options: resolved,
    group: (deps) => new PrimaryWithReplicas({ ...deps, lagMsOf: (peer) => cluster.node(peer.number).lagMs }),
    variables: (node) => ({ read_only: node === 1 ? 'OFF' : 'ON' }),
  })
  return cluster
}

/** What distinguishes the kinds of clusters. */
interface ClusterPlan {
  readonly nodes: number
  readonly options: Required<FakeServerOptions>
  readonly group: (deps: { readonly clock: Clock; readonly store: Store }) => ReplicationGroup
  /** The variables of a node that differ from MariaDB's defaults. */
  readonly variables: (node: number) => NodeDeps['variables']
}

/** A row as {@link FakeCluster.query} returns it. */
export type SeenRow = Readonly<Record<string, Value>>

/** Fake MariaDB servers that share what is committed, and whose faults a test scripts. */
export class FakeCluster {
  /** The actions of all clients, on all nodes. */
  readonly log: CommandLog
  readonly nodes: readonly FakeNode[]
  readonly #store: Store
  readonly #group: ReplicationGroup
  readonly #script: CommandScript = new Script(commandInterpreter)
  readonly #observer: Session
  #accepted = 0

  constructor({ nodes, options, group, variables }: ClusterPlan) {
    const { clock, users, schemas, listens } = options
    this.#store = new Store(schemas)
    this.#group = group({ clock, store: this.#store })
    this.log = commandLog(clock)
    this.#observer = observerOf(clock, this.#store, { group: this.#group, schema: schemas[0] })
    this.nodes = Array.from({ length: nodes }, (_, i) => {
      const own = { ...variables(i + 1), ...options.variables }
      return new FakeNode(i + 1, {
        clock,
        users,
        listens,
        store: this.#store,
        group: this.#group,
        script: this.#script,
        log: this.log,
        variables: own,
        nextConnection: () => ++this.#accepted,
      })
    })
  }

  /** How many connections were accepted since the beginning. */
  get accepted(): number {
    return this.#accepted
  }

  /** How many connections are open. */
  get connections(): number {
    return this.nodes.reduce((sum, node) => sum + node.connections, 0)
  }

  /** The addresses of all nodes, such as `127.0.0.1:40001`. */
  get addresses(): readonly string[] {
    return this.nodes.map((node) => node.address)
  }

  /** The addresses of all nodes as endpoints. */
  get endpoints(): readonly Endpoint[] {
    return this.nodes.map((node) => node.endpoint)
  }

  /** The statements that reached the servers, that no rule answered and that fit no shape: the client got 1064. */
  get unknownStatements(): readonly string[] {
    const run = this.log.entries({ outcome: 'done' }).flatMap(({ sql }) => (sql === undefined ? [] : [sql]))
    return [...new Set(run)].filter((sql) => !isSupported(sql))
  }

  /** A node by its number, from 1. */
  node(number: number): FakeNode {
    return nodeByNumber(this.nodes, number)
  }

  /** Connects to the node of that address without a port: the client's end of the connection. */
  dial(endpoint: Endpoint): Duplex {
    const node = this.nodes.find((each) => sameEndpoint(each.endpoint, endpoint))
    if (node !== undefined) return node.dial()
    throw new HaError('config-invalid', `there is no node at ${endpoint.host}:${endpoint.port}`)
  }

  /** Adds rules; the returned function removes them. */
  script(...rules: readonly Rule[]): () => void {
    return this.#script.add(rules)
  }

  /** Releases everything that rules hold under this name. */
  release(name: string): void {
    this.#script.release(name)
  }

  /**
   * Runs a statement on what is committed, past every node, rule and log: to arrange a test and to check its result.
   * Rejects with `rejected` when the statement fails.
   */
  async query(sql: string, parameters: readonly Value[] = []): Promise<readonly SeenRow[]> {
    this.#observer.server.applier.receive(this.#store.seqno)
    const answer = await execute(this.#observer, sql, parameters)
    if (answer.kind === 'error') throw new HaError('rejected', `${answer.errno}: ${answer.message}`)
    if (answer.kind === 'ok') return []
    const names = answer.columns.map((column) => column.name)
    return answer.rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i] ?? null])))
  }

  /** Ends everything: no socket, timer or port remains. */
  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()))
    this.#group.end()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Makes a cluster and starts its nodes, the first one first. */
async function startCluster(plan: ClusterPlan): Promise<FakeCluster> {
  const cluster = new FakeCluster(plan)
  for (const node of cluster.nodes) await node.start()
  return cluster
}

function observerOf(
  clock: Clock,
  store: Store,
  { group, schema }: { readonly group: ReplicationGroup; readonly schema: string | undefined },
): Session {
  const membership: Membership = {
    commit: (changes) => {
      const seqno = store.commit(changes)
      group.committedByTest(seqno)
      return Promise.resolve(seqno)
    },
    status: () => ({}),
    variables: () => ({}),
    replica: () => undefined,
  }
  const server = new Server({ clock, store, membership, variables: {} })
  const session = new Session({ server, id: 0, user: 'test', onKilled: () => undefined })
  session.schema = schema
  return session
}
