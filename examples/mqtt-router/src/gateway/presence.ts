import type { Ephemeral, Zookeeper } from '@ha/zookeeper'
import { presencePath } from '../names.ts'

interface Connection {
  readonly connection: object
  readonly node: Ephemeral
}

/** Publishes which users are connected to this gateway: one ephemeral node for each connected user. */
export class Presence {
  readonly #zookeeper: Zookeeper
  readonly #gateway: string
  readonly #connections = new Map<string, Connection>()

  constructor(zookeeper: Zookeeper, gateway: string) {
    this.#zookeeper = zookeeper
    this.#gateway = gateway
  }

  add(user: string, connection: object): void {
    const before = this.#connections.get(user)
    if (before?.connection === connection) return
    void before?.node.close()
    // The user's previous gateway may not have noticed the disconnect yet: the latest connection takes over the node.
    const node = this.#zookeeper.ephemeral(presencePath(user), this.#gateway, { takeover: true })
    this.#connections.set(user, { connection, node })
  }

  /** Deletes the node, unless it belongs to a later connection, here or on another gateway. */
  remove(user: string, connection: object): void {
    const entry = this.#connections.get(user)
    if (entry?.connection !== connection) return
    this.#connections.delete(user)
    void entry.node.close()
  }
}
