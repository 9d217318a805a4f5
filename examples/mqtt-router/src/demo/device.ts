import type { Instance } from '@ha/zookeeper'
import { connect, type MqttClient } from 'mqtt'
import { decodeMessage, type Message } from '../message.ts'
import { inboxTopic, receiptTopic } from '../names.ts'
import { disableNagle } from '../no-delay.ts'

/** How a device connects. */
export interface DeviceOptions {
  readonly user: string
  /** The gateways that it tries in turn. With a single one, it waits until that gateway is back. */
  readonly gateways: readonly Instance[]
  /** The MQTT keepalive interval, in seconds. */
  readonly keepaliveS: number
}

/** A user's device: it processes each message once and confirms every copy. */
export class Device {
  readonly user: string
  readonly #client: MqttClient
  readonly #seen = new Set<string>()
  #last = 0
  #duplicates = 0
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
    disableNagle(this.#client)
    this.#client.on('connect', () => this.#client.subscribe(inboxTopic(user), { qos: 1 }))
    this.#client.on('message', (_topic, payload) => this.#onMessage(decodeMessage(payload)))
  }

  /** The number of messages received, each counted once. */
  get received(): number {
    return this.#seen.size
  }

  /** The number of messages that were received again and dropped. */
  get duplicates(): number {
    return this.#duplicates
  }

  /** The number of messages received after one that was sent later. */
  get outOfOrder(): number {
    return this.#outOfOrder
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true)
  }

  // A duplicate is confirmed as well: the first receipt may have been lost.
  #onMessage({ id }: Message): void {
    if (this.#seen.has(id)) this.#duplicates += 1
    else this.#countOnce(id)
    this.#client.publish(receiptTopic(this.user, id), '', { qos: 1 })
  }

  #countOnce(id: string): void {
    this.#seen.add(id)
    const number = Number(id)
    if (number < this.#last) this.#outOfOrder += 1
    this.#last = Math.max(this.#last, number)
  }
}
