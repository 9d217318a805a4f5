import type { Instance } from '@ha/zookeeper'
import { connect, type MqttClient } from 'mqtt'
import { decodeMessage, type Message } from '../message.ts'
import { inboxOf, receiptOf } from '../names.ts'
import { sendAtOnce } from '../send-at-once.ts'

export interface DeviceOptions {
  readonly user: string
  /** Where it connects, in turn: with one, it waits for that one to come back. */
  readonly gateways: readonly Instance[]
  /** How often it asks whether its gateway is there, in seconds. */
  readonly keepaliveS: number
}

/** What a user holds in his hand: it takes each message once, and says that it has it. */
export class Device {
  readonly user: string
  readonly #client: MqttClient
  readonly #seen = new Set<string>()
  #last = 0
  #copies = 0
  #outOfOrder = 0

  constructor({ user, gateways, keepaliveS }: DeviceOptions) {
    this.user = user
    this.#client = connect({
      protocol: 'mqtt',
      servers: gateways.map(({ address, port = 1883 }) => ({ host: address, port })),
      clientId: user,
      keepalive: keepaliveS,
      connectTimeout: 1_000,
      reconnectPeriod: 500,
      resubscribe: false,
    })
    sendAtOnce(this.#client)
    this.#client.on('connect', () => this.#client.subscribe(inboxOf(user), { qos: 1 }))
    this.#client.on('message', (_topic, payload) => this.#take(decodeMessage(payload)))
  }

  /** How many messages it has, each counted once. */
  get received(): number {
    return this.#seen.size
  }

  /** How many came once more, and were dropped. */
  get copies(): number {
    return this.#copies
  }

  /** How many came after one that was sent later. */
  get outOfOrder(): number {
    return this.#outOfOrder
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true)
  }

  // A copy gets a receipt as well: the one for the first may have been lost.
  #take({ id }: Message): void {
    if (this.#seen.has(id)) this.#copies += 1
    else this.#count(id)
    this.#client.publish(receiptOf(this.user, id), '', { qos: 1 })
  }

  #count(id: string): void {
    this.#seen.add(id)
    const number = Number(id)
    if (number < this.#last) this.#outOfOrder += 1
    this.#last = Math.max(this.#last, number)
  }
}
