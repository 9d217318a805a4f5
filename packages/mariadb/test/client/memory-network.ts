import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Endpoint } from '@ha/core'

type Dial = (endpoint: Endpoint) => Duplex

let dial: Dial | undefined

/** Where every dial leads from now on. */
export function connectThrough(way: Dial): void {
  dial = way
}

/** Takes the place of the driver's own `openSocket`. */
export function openSocket(endpoint: Endpoint): Socket {
  if (dial === undefined) throw new Error('there is no cluster to dial')
  return asSocket(dial(endpoint))
}

// What the driver and we use of a socket beyond a stream: how much it has read, that it keeps no process alive, and
// that the end never comes in one turn with the last bytes.
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
