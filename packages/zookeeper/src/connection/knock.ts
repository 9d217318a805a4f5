import { type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { asError, deferred, raceAbort } from '@ha/core/driver'
import type { Dial } from './socket.ts'

/**
 * Asks a server for any byte, on a connection of its own, with the question that servers answer unless told otherwise.
 * One that does not allow it says so, and one over its `maxClientCnxns` hangs up without a word (seen on 3.8): both
 * live. Leaves nothing open.
 */
export async function knock(dial: Dial, endpoint: Endpoint, signal: AbortSignal): Promise<void> {
  const stream = await dial(endpoint, signal)
  const answered = deferred()
  stream.once('data', () => answered.resolve())
  stream.once('end', () => answered.resolve())
  stream.on('error', answered.reject)
  stream.once('close', () => answered.reject(new Error('the connection was closed')))
  stream.write('srvr')
  try {
    await raceAbort(answered.promise, signal, () => undefined)
  } catch (thrown) {
    throw signal.aborted ? signal.reason : unanswered(asError(thrown), formatEndpoint(endpoint))
  } finally {
    stream.destroy()
  }
}

function unanswered(cause: Error, endpoint: string): HaError {
  return new HaError('unreachable', `${endpoint}: ${cause.message}`, { endpoint, retryable: true, cause })
}
