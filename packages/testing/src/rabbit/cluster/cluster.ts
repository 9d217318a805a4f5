import { nodeByNumber } from '../../server/nodes.ts'
import { Script } from '../../server/script.ts'
import { type Alarm, Broker } from '../broker/broker.ts'
import { connectionException } from '../broker/exceptions.ts'
import { type FrameScript, frameInterpreter, type Rule } from '../rules.ts'
import type { BrokerSession } from '../session/session.ts'
import { type FrameLog, frameLog } from './frame-log.ts'
import { type BrokerNodeDeps, FakeNode } from './node.ts'
import { type ClusterSettings, clusterSettings, type FakeClusterOptions } from './options.ts'

/** The current state of a queue. */
export interface QueueSnapshot {
  readonly name: string
  /** How many messages wait for a consumer. */
  readonly ready: number
  /** How many messages are delivered and not acknowledged. */
  readonly unacked: number
  readonly consumers: number
}

/** The current state of an open connection. */
export interface ConnectionSnapshot {
  readonly connection: number
  readonly node: number
  readonly user: string
  readonly channels: number
  /** Whether an alarm blocks its client. */
  readonly isBlocked: boolean
}

/** Starts a cluster of fake RabbitMQ nodes in this process, each on its own port of 127.0.0.1. */
export async function startFakeCluster(options: FakeClusterOptions = {}): Promise<FakeCluster> {
  const cluster = new FakeCluster(clusterSettings(options))
  for (const node of cluster.nodes) await node.start()
  return cluster
}

/** Fake RabbitMQ nodes that share queues, exchanges and messages, and fail on demand. */
export class FakeCluster {
  /** All frames, in and out. */
  readonly log: FrameLog
  readonly nodes: readonly FakeNode[]
  readonly #broker: Broker
  readonly #script: FrameScript = new Script(frameInterpreter)
  readonly #sessions = new Map<number, { readonly node: number; readonly session: BrokerSession }>()
  #accepted = 0

  constructor(settings: ClusterSettings) {
    const { clock, users, vhosts, downAfterMs, server } = settings
    this.#broker = new Broker(users, vhosts, clock)
    this.log = frameLog(clock, settings.logEntries)
    const deps: BrokerNodeDeps = {
      downAfterMs,
      server: { clock, broker: this.#broker, settings: server },
      script: this.#script,
      log: this.log,
      connections: {
        nextNumber: () => ++this.#accepted,
        opened: ({ node, connection }, session) => this.#sessions.set(connection, { node, session }),
        closed: (connection) => this.#sessions.delete(connection),
      },
      onDown: () => this.#onDown(),
    }
    this.nodes = Array.from({ length: settings.nodes }, (_, i) => new FakeNode(i + 1, deps))
  }

  /** The address of the first node as a URL, for a test that needs only one. */
  get url(): string {
    return this.node(1).url
  }

  /** The addresses of all nodes, such as `127.0.0.1:40001`. */
  get addresses(): readonly string[] {
    return this.nodes.map((node) => node.address)
  }

  /** A node by its number, from 1. */
  node(number: number): FakeNode {
    return nodeByNumber(this.nodes, number)
  }

  /** Adds rules; the returned function removes them. */
  script(...rules: readonly Rule[]): () => void {
    return this.#script.add(rules)
  }

  /** Releases the frames that a rule holds under this name. */
  release(name: string): void {
    this.#script.release(name)
  }

  /** The current state of a queue, or undefined when there is none of that name. */
  queue(name: string, vhost = '/'): QueueSnapshot | undefined {
    const queue = this.#broker.vhost(vhost)?.findQueue(name)
    if (queue === undefined) return undefined
    return { name, ready: queue.ready, unacked: queue.unacked, consumers: queue.consumers.length }
  }

  /** The current state of the open connections. */
  get connections(): readonly ConnectionSnapshot[] {
    return [...this.#sessions].flatMap(([connection, { node, session }]) =>
      session.open === undefined ? [] : [{ connection, node, ...session.open }],
    )
  }

  /** Deletes a queue, as the management page does: its consumers are cancelled. */
  deleteQueue(name: string, vhost = '/'): void {
    const found = this.#broker.vhost(vhost)
    const queue = found?.findQueue(name)
    if (queue !== undefined) found?.removeQueue(queue)
  }

  /** Cancels the consumers of a queue without deleting it, as the failover of a mirrored queue does. */
  cancelConsumers(name: string, vhost = '/'): void {
    this.#broker.vhost(vhost)?.findQueue(name)?.cancelConsumers()
  }

  /** Closes a connection, by its number, with a 320, as an administrator can. */
  closeConnection(connection: number, reason = 'Closed via management plugin'): void {
    const exception = connectionException('CONNECTION_FORCED', reason)
    this.#sessions.get(connection)?.session.closeWith(exception, undefined)
  }

  /** Raises an alarm: every connection of the cluster is blocked when it publishes. */
  raiseAlarm(alarm: Alarm = 'memory'): void {
    this.#broker.raise(alarm)
  }

  /** Clears an alarm. Connections are unblocked when it was the last one. */
  clearAlarm(alarm: Alarm = 'memory'): void {
    this.#broker.clear(alarm)
    if (this.#broker.alarm !== undefined) return
    for (const { session } of this.#sessions.values()) session.unblock()
  }

  /** Closes all nodes: no socket, no timer and no port is left. */
  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()))
    this.#broker.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // What is not durable lives in the memory of the nodes and is lost with the last one.
  #onDown(): void {
    if (this.nodes.every((node) => node.state === 'down')) this.#broker.forgetTransient()
  }
}
