import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import type { Instance } from '@ha/zookeeper'
import { connect, type MqttClient } from 'mqtt'
import { encodeMessage, type Message } from '../message.ts'
import { allReceiptsTopic, inboxTopic, receiptTopic } from '../names.ts'
import { disableNagle } from '../no-delay.ts'

/** The connections of this router: one to each registered gateway. */
export class GatewayConnections {
  readonly #connections = new Map<string, GatewayConnection>()

  /** Opens connections to new gateways and closes those to gateways that are no longer registered. */
  update(gateways: readonly Instance[]): void {
    const urls = new Set(gateways.map(urlOf))
    for (const [url, connection] of this.#connections) {
      if (urls.has(url)) continue
      connection.close()
      this.#connections.delete(url)
    }
    for (const url of urls) {
      if (!this.#connections.has(url)) this.#connections.set(url, new GatewayConnection(url))
    }
  }

  /** True when the user confirms the message within `timeoutMs` milliseconds. */
  async deliver(gateway: Instance, user: string, message: Message, timeoutMs: number): Promise<boolean> {
    const connection = this.#connections.get(urlOf(gateway))
    return connection !== undefined && (await connection.deliver(user, message, timeoutMs))
  }

  close(): void {
    this.update([])
  }
}

function urlOf({ address, port = 1883 }: Instance): string {
  return `mqtt://${address}:${port}`
}

/** The MQTT connection of this router to one gateway. */
class GatewayConnection {
  readonly #client: MqttClient
  /** Emits the topic of each receipt. */
  readonly #receipts = new EventEmitter()
  /** Whether receipts are received. */
  #subscribed = false

  constructor(url: string) {
    this.#client = connect(url, {
      clientId: `router-${randomUUID()}`,
      reconnectPeriod: 500,
      resubscribe: false,
    })
    disableNagle(this.#client)
    this.#client.on('connect', () => void this.#subscribe())
    this.#client.on('close', () => {
      this.#subscribed = false
    })
    this.#client.on('message', (topic) => void this.#receipts.emit(topic))
  }

  /** Sends a message. True when the user confirms it in time; false does not prove that the user has not received it. */
  async deliver(user: string, message: Message, timeoutMs: number): Promise<boolean> {
    if (!this.#subscribed) return false
    this.#client.publish(inboxTopic(user), encodeMessage(message), { qos: 1 })
    try {
      await once(this.#receipts, receiptTopic(user, message.id), { signal: AbortSignal.timeout(timeoutMs) })
      return true
    } catch {
      // Only the timeout rejects this wait.
      return false
    }
  }

  close(): void {
    this.#client.end(true)
  }

  async #subscribe(): Promise<void> {
    try {
      await this.#client.subscribeAsync(allReceiptsTopic, { qos: 1 })
      this.#subscribed = this.#client.connected
    } catch {
      // The connection was lost; the next one subscribes again.
    }
  }
}
