import { setMaxListeners } from 'node:events'
import { asError, detachStack, raceAbort } from '@ha/core/driver'
import type { Channel, ConfirmChannel } from 'amqplib'
import type { AmqpConnection } from './connection.ts'

/** A channel that reports its end exactly once, with the reason. Its errors never end the connection. */
export interface GuardedChannel<Ch extends Channel> {
  readonly channel: Ch
  /** Fires when the channel is closed. Its reason is the broker's error, or the end of the connection. */
  readonly closed: AbortSignal
  /** Closes the channel without waiting for the broker. */
  discard(): void
}

/** Opens a channel; a channel that opens after the signal has fired is discarded. */
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
  const closed = new AbortController()
  // Every running handler may add a listener.
  setMaxListeners(0, closed.signal)
  let error: Error | undefined
  const end = (): void => {
    connection.closed.removeEventListener('abort', end)
    if (!closed.signal.aborted)
      closed.abort(error ?? connection.closed.reason ?? detachStack(new Error('the channel was closed')))
  }
  // Without a listener, an `error` event of a channel would end the connection with all its channels.
  channel.on('error', (thrown) => {
    error = detachStack(asError(thrown))
  })
  // Closed without an error: by this client, or with the connection, whose event the driver emits later in the same turn.
  // The connection's event has to come first: otherwise its loss would look like the end of the channel alone.
  channel.on('close', () => (error === undefined ? queueMicrotask(end) : end()))
  // The connection may report its end before the driver has closed its channels.
  if (connection.closed.aborted) end()
  else connection.closed.addEventListener('abort', end, { once: true })
  const discard = (): void => {
    channel.close().catch(() => undefined)
  }
  return { channel, closed: closed.signal, discard }
}
