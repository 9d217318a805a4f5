import { type Operation, type Runner, run } from '@ha/core'
import { openChannel } from './amqp/channel.ts'
import type { AmqpConnection } from './amqp/connection.ts'
import type { Channel } from './amqp/types.ts'

/**
 * Runs `work` on a channel of its own, which ends with the work, and at the latest with the operation. What the work
 * throws while its channel stands is its own affair: neither judged nor tried again, and thrown as it is.
 */
export async function runOnOwnChannel<T>(
  runner: Runner<AmqpConnection>,
  operation: Operation,
  work: (channel: Channel) => Promise<T>,
): Promise<T> {
  const worked = await run(runner, operation, (connection, until) => tryWork(connection, until(), work))
  if (worked.kind === 'threw') throw worked.thrown
  return worked.value
}

type Worked<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'threw'; readonly thrown: unknown }

async function tryWork<T>(
  connection: AmqpConnection,
  signal: AbortSignal,
  work: (channel: Channel) => Promise<T>,
): Promise<Worked<T>> {
  const { channel, over, discard } = await openChannel(connection, signal)
  // Work that goes on behind its deadline must not keep the channel.
  signal.addEventListener('abort', discard, { once: true })
  try {
    return { kind: 'done', value: await work(channel) }
  } catch (thrown) {
    if (over.aborted) throw thrown
    return { kind: 'threw', thrown }
  } finally {
    signal.removeEventListener('abort', discard)
    discard()
  }
}
