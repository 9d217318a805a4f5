import { type Declaration, formatEndpoint, type Link } from '@ha/core'
import { rabbitChannels } from '../client-events.ts'
import { type GuardedChannel, openConfirmChannel } from '../driver/channel.ts'
import type { AmqpConnection } from '../driver/connection.ts'
import type { ConfirmChannel, Message } from '../driver/types.ts'

/** Why a publish channel replaces its confirm channel: it is closed, it nacks, it does not answer, or a newer one does better. */
export type ChannelEnd = 'over' | 'rejecting' | 'refusing' | 'hanging' | 'stale'

/** Why a publish channel sends nothing for now. */
export type PauseReason =
  | 'blocked'
  | 'buffer-full'
  | 'earlier messages'
  | 'moving'
  | 'nacked'
  | 'suspects'
  | 'topology'

/** An open confirm channel. */
export interface ConfirmChannelHandle {
  readonly guard: GuardedChannel<ConfirmChannel>
  /** The node, as `host:port`. */
  readonly endpoint: string
  /** Fires before the end of the channel when its connection is lost. */
  readonly connectionClosed: AbortSignal
  /** The largest content header that fits into a frame: the broker ends the connection over a larger one. */
  readonly maxHeaderBytes: number
  /** Called once, when the publish channel needs another one. */
  readonly onDone: (error: Error, how: ChannelEnd) => void
}

/** The events of a confirm channel. */
interface ChannelListener {
  readonly onAck: (deliveryTag: number, multiple: boolean) => void
  readonly onNack: (deliveryTag: number, multiple: boolean) => void
  readonly onReturn: (message: Message) => void
  readonly onDrain: () => void
  readonly onClosed: (reason: Error) => void
}

/** The fields of basic.return. */
export interface ReturnFields {
  readonly exchange: string
  readonly routingKey: string
  readonly replyCode?: unknown
  readonly replyText?: unknown
}

// Forwards the events of a channel while it is the current one. Later events concern messages that are sent elsewhere.
export function listenToChannel(
  { channel, closed }: GuardedChannel<ConfirmChannel>,
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
  const onClosed = (): void => {
    if (isCurrent()) listener.onClosed(closed.reason)
  }
  closed.addEventListener('abort', onClosed, { once: true })
}

/** A publish channel, which takes the confirm channels that are opened for it. */
interface Opened {
  readonly key: string
  open(channel: ConfirmChannelHandle): void
}

/** Opens a confirm channel for a publish channel on every connection, and again whenever it needs another one. */
export function publishChannelDeclaration(
  publishChannel: Opened,
  link: Link<AmqpConnection>,
  timeoutMs: number,
): Declaration<AmqpConnection> {
  const { key } = publishChannel
  const apply = async (connection: AmqpConnection, signal: AbortSignal): Promise<void> => {
    const guard = await openConfirmChannel(connection, signal)
    guard.closed.throwIfAborted()
    const onDone: ConfirmChannelHandle['onDone'] = (error, how) => {
      const connectionOver = connection.closed.aborted
      if (rabbitChannels.laneLost.hasSubscribers)
        rabbitChannels.laneLost.publish({ lane: key, how, error, connectionOver })
      // After the loss of a connection, the link repeats all declarations. A channel that hangs has already had its time
      // to answer, so it is replaced without the usual delay; one is stale at most once a second, and
      // one that was closed over a message has rejected it.
      if (!connectionOver) link.invalidate(key, error, { paced: how !== 'over' && how !== 'refusing' })
    }
    const endpoint = formatEndpoint(connection.endpoint)
    const { closed: connectionClosed, maxHeaderBytes } = connection
    publishChannel.open({ guard, endpoint, connectionClosed, maxHeaderBytes, onDone })
  }
  // Opened beside a message that the broker ends connections for, it is not to blame.
  const tryApart = async (connection: AmqpConnection, signal: AbortSignal): Promise<void> => {
    const guard = await openConfirmChannel(connection, signal)
    guard.discard()
  }
  return { key, needs: [], gates: false, survives: false, timeoutMs, apply, tryApart }
}

/** Whether the driver refuses to send because the channel is closed. */
export function isClosedError(error: unknown): boolean {
  return (error as { name?: unknown }).name === 'IllegalOperationError'
}
