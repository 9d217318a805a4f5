import { setMaxListeners } from 'node:events'
import { asError, detachStack, raceAbort } from '@ha/core/driver'
import type { Channel, ConfirmChannel } from 'amqplib'
import type { AmqpConnection } from './connection.ts'

/** A channel whose end is told exactly once, with its reason, and never ends anything else. */
export interface GuardedChannel<Ch extends Channel> {
  readonly channel: Ch
  /** Fires when the channel is over. Its reason is the broker's error, or the connection's end. */
  readonly closed: AbortSignal
  /** Ends it without waiting; what the broker says to that concerns nobody. */
  discard(): void
}

/** Opens a channel; one that is open too late is discarded. */
export function openChannel(
  connection: AmqpConnection,
  signal: AbortSignal,
): Promise<GuardedChannel<Channel>> {
  return openGuarded(connection, connection.model.createChannel(), signal)
}

/** Opens a channel on which the broker confirms every message. */
export function openConfirmChannel(
  connection: AmqpConnection,
  signal: AbortSignal,
): Promise<GuardedChannel<ConfirmChannel>> {
  return openGuarded(connection, connection.model.createConfirmChannel(), signal)
}

async function openGuarded<Ch extends Channel>(
  connection: AmqpConnection,
  opening: Promise<Ch>,
  signal: AbortSignal,
): Promise<GuardedChannel<Ch>> {
  const guard = opening.then(
    (channel) => guardChannel(connection, channel),
    (thrown: unknown) => {
      throw detachStack(asError(thrown))
    },
  )
  return raceAbort(guard, signal, (late) => late.discard())
}

function guardChannel<Ch extends Channel>(connection: AmqpConnection, channel: Ch): GuardedChannel<Ch> {
  const over = new AbortController()
  // Every delivery's handler may hang something on it.
  setMaxListeners(0, over.signal)
  let error: Error | undefined
  const end = (): void => {
    connection.closed.removeEventListener('abort', end)
    if (!over.signal.aborted)
      over.abort(error ?? connection.closed.reason ?? detachStack(new Error('the channel was closed')))
  }
  // An `error` of a channel that nobody listens to would end the whole connection with every other channel on it.
  channel.on('error', (thrown) => {
    error = detachStack(asError(thrown))
  })
  // Closed without an error: by us, or with its connection, which the driver tells of in the same turn, but later. It
  // is to be known first, so that nobody takes its end for the channel's own.
  channel.on('close', () => (error === undefined ? queueMicrotask(end) : end()))
  // The connection knows of its end before the driver has told its channels.
  if (connection.closed.aborted) end()
  else connection.closed.addEventListener('abort', end, { once: true })
  const discard = (): void => {
    channel.close().catch(() => undefined)
  }
  return { channel, closed: over.signal, discard }
}
