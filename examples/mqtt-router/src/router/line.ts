import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { connect, type MqttClient } from 'mqtt'
import { encodeMessage, type Message } from '../message.ts'
import { allReceipts, inboxOf, receiptOf } from '../names.ts'
import { sendAtOnce } from '../send-at-once.ts'

/** The connection of this router to one gateway. */
export class Line {
  readonly #client: MqttClient
  /** Emits the topic of each receipt. */
  readonly #receipts = new EventEmitter()
  /** Whether receipts would be heard. */
  #listens = false

  constructor(url: string) {
    this.#client = connect(url, {
      clientId: `router-${randomUUID()}`,
      reconnectPeriod: 500,
      resubscribe: false,
    })
    sendAtOnce(this.#client)
    this.#client.on('connect', () => void this.#listen())
    this.#client.on('close', () => {
      this.#listens = false
    })
    this.#client.on('message', (topic) => void this.#receipts.emit(topic))
  }

  /** Sends a message; true when its user says in time that he has it. False is no proof that he has it not. */
  async deliver(user: string, message: Message, timeoutMs: number): Promise<boolean> {
    if (!this.#listens) return false
    this.#client.publish(inboxOf(user), encodeMessage(message), { qos: 1 })
    try {
      await once(this.#receipts, receiptOf(user, message.id), { signal: AbortSignal.timeout(timeoutMs) })
      return true
    } catch {
      // The time is over: there is nothing else that this wait can end with.
      return false
    }
  }

  close(): void {
    this.#client.end(true)
  }

  async #listen(): Promise<void> {
    try {
      await this.#client.subscribeAsync(allReceipts, { qos: 1 })
      this.#listens = this.#client.connected
    } catch {
      // The connection is gone again; the next one begins anew.
    }
  }
}
