import type { Ephemeral, Zookeeper } from '@ha/zookeeper'
import { presenceOf } from '../names.ts'

interface Place {
  readonly connection: object
  readonly node: Ephemeral
}

/** Who is connected to this gateway: a node for each in ZooKeeper, which ends with the connection or the gateway. */
export class Presence {
  readonly #zookeeper: Zookeeper
  readonly #gateway: string
  readonly #places = new Map<string, Place>()

  constructor(zookeeper: Zookeeper, gateway: string) {
    this.#zookeeper = zookeeper
    this.#gateway = gateway
  }

  arrive(user: string, connection: object): void {
    const before = this.#places.get(user)
    if (before?.connection === connection) return
    void before?.node.close()
    // Another gateway that still holds him has not noticed yet that he left: who comes later is right.
    const node = this.#zookeeper.ephemeral(presenceOf(user), this.#gateway, { takeover: true })
    this.#places.set(user, { connection, node })
  }

  /** Deletes the node, unless it is meanwhile that of another connection, here or on another gateway. */
  leave(user: string, connection: object): void {
    const place = this.#places.get(user)
    if (place?.connection !== connection) return
    this.#places.delete(user)
    void place.node.close()
  }
}
