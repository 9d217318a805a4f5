import type { Socket } from 'node:net'
import type { FakeNode } from '@ha/testing/rabbit'
import { type ChannelModel, type ConfirmChannel, type ConsumeMessage, connect } from 'amqplib'

/** A connection of amqplib without the client, with one confirm channel, and what became of both. */
export interface Client {
  readonly model: ChannelModel
  readonly channel: ConfirmChannel
  readonly socket: Socket
  /** Resolves with the error, or undefined, that the connection ended with. */
  readonly closed: Promise<Error | undefined>
  /** Resolves with the error that the server closed the channel with. */
  readonly refused: Promise<Error>
}

/** Connects as guest to a node, or to the first node of a cluster; `query` goes behind the URL. */
export async function client({ url }: Pick<FakeNode, 'url'>, query = ''): Promise<Client> {
  const model = await connect(url.replace('//', '//guest:guest@') + query, { noDelay: true })
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

/** Publishes a text to a queue; resolves with the broker's answer. */
export function send(channel: ConfirmChannel, queue: string, text: string): Promise<'ack' | 'nack'> {
  return new Promise((resolve) => {
    channel.sendToQueue(queue, Buffer.from(text), { persistent: true }, (error) =>
      resolve(error === null ? 'ack' : 'nack'),
    )
  })
}

/** What a consumer has received, in order. */
export interface Inbox {
  readonly messages: readonly ConsumeMessage[]
  /** Their contents as text. */
  readonly texts: readonly string[]
  /** Resolves when there are so many messages. */
  until(count: number): Promise<void>
}

/** Consumes a queue and keeps the messages, without acknowledging them. */
export async function consume(channel: ConfirmChannel, queue: string): Promise<Inbox> {
  const messages: ConsumeMessage[] = []
  const waiters: { readonly count: number; readonly resolve: () => void }[] = []
  await channel.consume(queue, (message) => {
    if (message === null) return
    messages.push(message)
    for (const { count, resolve } of waiters) if (messages.length >= count) resolve()
  })
  return {
    messages,
    get texts() {
      return messages.map(({ content }) => String(content))
    },
    until: (count) =>
      new Promise((resolve) => {
        if (messages.length >= count) resolve()
        else waiters.push({ count, resolve })
      }),
  }
}
