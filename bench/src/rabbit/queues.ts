import { setTimeout as sleep } from 'node:timers/promises'
import { type Channel, connect, type SocketOptions } from 'amqplib'
import type { LeftoverMessage } from './message-log.ts'
import { isProbe, messageIdOf } from './traffic.ts'

/** The kinds of queue that survive a node: `mirrored` by the lab's policy on `^ha\.`. */
export type QueueKind = 'quorum' | 'mirrored'

export const queueKinds: readonly QueueKind[] = ['quorum', 'mirrored']

/** A name that the lab's mirroring policy catches, or does not. */
export function queueName(kind: QueueKind, name: string): string {
  return kind === 'mirrored' ? `ha.${name}` : name
}

/** Arguments with which a consumer of such a queue is notified when the queue moves. */
export function consumeArgumentsOf(kind: QueueKind): Readonly<Record<string, unknown>> {
  return kind === 'mirrored' ? { 'x-cancel-on-ha-failover': true } : {}
}

const quietMs = 500
const deadlineMs = 30_000

/** Declares queues over a connection to one node, which becomes their leader. */
export async function declareQueues(
  endpoint: string,
  kind: QueueKind,
  queues: readonly string[],
): Promise<void> {
  await withChannel(endpoint, async (channel) => {
    // Without a single active consumer the broker itself hands out later messages before those of a lost consumer.
    const args = { 'x-single-active-consumer': true, ...(kind === 'quorum' && { 'x-queue-type': 'quorum' }) }
    for (const queue of queues) await channel.assertQueue(queue, { durable: true, arguments: args })
  })
}

/** Drains a queue without consumers until no message has come for a while. */
export async function drainQueue(endpoint: string, queue: string): Promise<readonly LeftoverMessage[]> {
  return withChannel(endpoint, async (channel) => {
    const left: LeftoverMessage[] = []
    let lastAtMs = performance.now()
    // basic.get does not work on a queue with a single active consumer.
    await channel.consume(
      queue,
      (message) => {
        lastAtMs = performance.now()
        if (message === null || isProbe(message.content)) return
        left.push({ id: messageIdOf(message.content), redelivered: message.fields.redelivered })
      },
      { noAck: true },
    )
    while (performance.now() - lastAtMs < quietMs) await sleep(50)
    return left
  })
}

/** Deletes queues; one that is gone already is as good. */
export async function deleteQueues(endpoint: string, queues: readonly string[]): Promise<void> {
  await withChannel(endpoint, async (channel) => {
    for (const queue of queues) await channel.deleteQueue(queue)
  })
}

// The driver waits for ever: the signal ends its socket, and with that whatever it waits for.
async function withChannel<T>(endpoint: string, work: (channel: Channel) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(deadlineMs)
  const expired = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error(`no answer of ${endpoint} in ${deadlineMs} ms`)))
  })
  const done = async (): Promise<T> => {
    const model = await connect(`amqp://guest:guest@${endpoint}`, { signal } as SocketOptions)
    model.on('error', () => undefined)
    const channel = await model.createChannel()
    channel.on('error', () => undefined)
    const result = await work(channel)
    await model.close()
    return result
  }
  return Promise.race([done(), expired])
}
