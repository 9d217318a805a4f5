import type { Socket } from 'node:net'
import { type ChannelModel, type ConfirmChannel, type ConsumeMessage, connect } from 'amqplib'
import type { FakeNode } from '../../src/rabbit/index.ts'

/** A bare amqplib connection with one confirm channel, and what happened to it. */
export interface Client {
  readonly model: ChannelModel
  readonly channel: ConfirmChannel
  readonly socket: Socket
  /** Resolves with the error, or undefined, that the connection ended with. */
  readonly closed: Promise<Error | undefined>
  /** Resolves with the error that the channel was refused with. */
  readonly refused: Promise<Error>
}

/** Something that has an address: a node, or a cluster. */
export type Addressed = Pick<FakeNode, 'url'>

/** Connects, as guest unless told otherwise, without Nagle's algorithm. */
export async function client({ url }: Addressed, rest = '', login = 'guest:guest'): Promise<Client> {
  const model = await connect(url.replace('//', `//${login}@`) + rest, { noDelay: true })
  const closed = new Promise<Error | undefined>((resolve) => {
    model.on('close', resolve)
  })
  // The reason also comes with 'close'.
  model.on('error', () => undefined)
  const channel = await model.createConfirmChannel()
  const refused = new Promise<Error>((resolve) => {
    channel.on('error', resolve)
  })
  return { model, channel, socket: socketOf(model), closed, refused }
}

/** The socket below a connection. */
export function socketOf(model: ChannelModel): Socket {
  return (model.connection as unknown as { readonly stream: Socket }).stream
}

/** Publishes a text to a queue; resolves with the broker's word on it. */
export function send(channel: ConfirmChannel, queue: string, text: string): Promise<'ack' | 'nack'> {
  return new Promise((resolve) => {
    channel.sendToQueue(queue, Buffer.from(text), { persistent: true }, (error) =>
      resolve(error === null ? 'ack' : 'nack'),
    )
  })
}

/** Consumes a queue and keeps what comes. */
export async function consume(channel: ConfirmChannel, queue: string): Promise<Inbox> {
  const inbox = new Inbox()
  await channel.consume(queue, (message) => inbox.add(message))
  return inbox
}

/** The messages of a consumer, in order; null when it was cancelled. */
export class Inbox {
  readonly #messages: (ConsumeMessage | null)[] = []
  #waiters: readonly (() => void)[] = []

  /** The texts of the messages, with a star when they were delivered before. */
  get texts(): readonly string[] {
    return this.#messages.map((message) => (message === null ? 'cancelled' : textOf(message)))
  }

  get messages(): readonly ConsumeMessage[] {
    return this.#messages.filter((message) => message !== null)
  }

  add(message: ConsumeMessage | null): void {
    this.#messages.push(message)
    for (const wake of this.#waiters) wake()
  }

  /** Resolves with the texts when there are so many. */
  async until(count: number): Promise<readonly string[]> {
    while (this.#messages.length < count) {
      await new Promise<void>((resolve) => {
        this.#waiters = [...this.#waiters, resolve]
      })
    }
    return this.texts
  }
}

function textOf({ content, fields }: ConsumeMessage): string {
  return `${content}${fields.redelivered ? '*' : ''}`
}
