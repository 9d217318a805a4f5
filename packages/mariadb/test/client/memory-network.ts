import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Endpoint } from '@ha/core'

/** A socket to a server in memory: replaces the TCP socket of the driver. */
export function memorySocket(dial: (endpoint: Endpoint) => Duplex): (endpoint: Endpoint) => Socket {
  return (endpoint) => asSocket(dial(endpoint))
}

// What the driver and this package use of a socket beyond a stream: `bytesRead`, `unref`, and an end that never comes
// in the same turn as the last bytes.
function asSocket(stream: Duplex): Socket {
  let bytesRead = 0
  const push = stream.push.bind(stream)
  stream.push = (chunk: Buffer | null) => {
    bytesRead += chunk?.length ?? 0
    if (chunk !== null) return push(chunk)
    setImmediate(() => stream.destroyed || push(null))
    return false
  }
  return Object.defineProperties(stream, {
    bytesRead: { get: () => bytesRead },
    unref: { value: () => stream },
  }) as Socket
}
