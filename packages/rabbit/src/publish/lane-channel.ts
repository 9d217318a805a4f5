import type { GuardedChannel } from '../amqp/channel.ts'
import type { ConfirmChannel, Message } from '../amqp/types.ts'

/** Why a lane has no more use for a channel. */
export type ChannelEnd = 'over' | 'refusing' | 'hanging'

/** A confirm channel as a lane uses it. */
export interface LaneChannel {
  readonly guard: GuardedChannel<ConfirmChannel>
  /** The node, as `host:port`. */
  readonly endpoint: string
  /** Called once, when the lane has no more use for it: it is over, it refuses messages, or it hangs. */
  readonly onDone: (error: Error, how: ChannelEnd) => void
}

/** What a channel says, to whom it belongs. */
export interface ChannelListener {
  readonly onAck: (deliveryTag: number, multiple: boolean) => void
  readonly onNack: (deliveryTag: number, multiple: boolean) => void
  readonly onReturn: (message: Message) => void
  readonly onDrain: () => void
  readonly onOver: (reason: Error) => void
}

/** What the broker says of a message that it gives back. */
export interface Returned {
  readonly exchange: string
  readonly routingKey: string
  readonly replyCode?: unknown
  readonly replyText?: unknown
}

/** Passes on what a channel says while `isCurrent`: afterwards it is about messages that go another way. */
export function listenTo(
  { channel, over }: GuardedChannel<ConfirmChannel>,
  isCurrent: () => boolean,
  listener: ChannelListener,
): void {
  channel.on('ack', ({ deliveryTag, multiple }) => {
    if (isCurrent()) listener.onAck(deliveryTag, multiple)
  })
  channel.on('nack', ({ deliveryTag, multiple }) => {
    if (isCurrent()) listener.onNack(deliveryTag, multiple)
  })
  channel.on('return', (message) => {
    if (isCurrent()) listener.onReturn(message)
  })
  channel.on('drain', () => {
    if (isCurrent()) listener.onDrain()
  })
  const onOver = (): void => {
    if (isCurrent()) listener.onOver(over.reason)
  }
  over.addEventListener('abort', onOver, { once: true })
}
