import type { Channel, ConsumeMessage } from '../amqp/types.ts'
import type { Disposition } from './delivery.ts'

/** A message and the channel that it came on: the only one on which it can be answered. */
export interface Handout {
  readonly message: ConsumeMessage
  readonly channel: Channel
  /** Fires when it can no longer be answered: the broker hands the message out again. */
  readonly over: AbortSignal
}

/** A handler at work. */
export interface Run {
  /** What its answer goes to: what came last of its message. */
  latest: Handout
}

/** Answers a handout on its own channel. False when that channel is gone: nothing was said. */
export function answer({ message, channel, over }: Handout, disposition: Disposition): boolean {
  if (over.aborted) return false
  try {
    if (disposition === 'ack') channel.ack(message)
    else channel.nack(message, false, disposition === 'requeue')
    return true
  } catch {
    // The driver knows of the end before its event has come: the same as gone.
    return false
  }
}
