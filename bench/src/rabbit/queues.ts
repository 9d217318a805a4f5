import { connect } from 'amqplib'

/** The kinds of queue that survive a node: `mirrored` by the lab's policy on `^ha\.`. */
export type QueueKind = 'quorum' | 'mirrored'

export const queueKinds: readonly QueueKind[] = ['quorum', 'mirrored']

/** A name that the lab's mirroring policy catches, or does not. */
export function queueName(kind: QueueKind, name: string): string {
  return kind === 'mirrored' ? `ha.${name}` : name
}

/** What a consumer of such a queue has to say to be told when the queue moves. */
export function consumeArgumentsOf(kind: QueueKind): Readonly<Record<string, unknown>> {
  return kind === 'mirrored' ? { 'x-cancel-on-ha-failover': true } : {}
}

/** Declares queues over a connection to one node, which becomes their leader. */
export async function declareQueues(
  endpoint: string,
  kind: QueueKind,
  queues: readonly string[],
): Promise<void> {
  const model = await connect(`amqp://guest:guest@${endpoint}`)
  try {
    const channel = await model.createChannel()
    // Without a single active consumer the broker itself hands out later messages before those of a lost consumer.
    const args = { 'x-single-active-consumer': true, ...(kind === 'quorum' && { 'x-queue-type': 'quorum' }) }
    for (const queue of queues) await channel.assertQueue(queue, { durable: true, arguments: args })
  } finally {
    await model.close()
  }
}

/** Deletes queues; one that is gone already is as good. */
export async function deleteQueues(endpoint: string, queues: readonly string[]): Promise<void> {
  const model = await connect(`amqp://guest:guest@${endpoint}`)
  try {
    for (const queue of queues) {
      const channel = await model.createChannel()
      channel.on('error', () => undefined)
      await channel.deleteQueue(queue).catch(() => undefined)
    }
  } finally {
    await model.close()
  }
}
