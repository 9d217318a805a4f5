import { connect, type Socket } from 'node:net'
import type { Endpoint } from '@ha/core'

// TCP's own, for a peer that vanished without a word while nothing was asked of it.
const keepAliveMs = 10_000

/** A socket on its way to a server. The driver sets neither of its options on one that it did not make. */
export function openSocket({ host, port }: Endpoint): Socket {
  // A local socket is written as its path and port 0.
  if (port === 0) return connect({ path: host })
  return connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs })
}
