/** The server's own timers, in the whole seconds that it takes. */
export interface RabbitTimers {
  /** Four ticks fit into it; a peer that was silent for all of them is given up. */
  readonly netTicktimeS: number
  /**
   * How long a process that sends to a peer may hang while the connection to it is set up. A frozen peer accepts the
   * connection and says nothing: with the default, whoever sends to it first hangs for seven seconds, although it
   * has been given up.
   */
  readonly netSetuptimeS: number
  /** What the server proposes to clients; it closes a connection after two of them without a byte. */
  readonly heartbeatS: number
}

const serverDefaults: RabbitTimers = { netTicktimeS: 60, netSetuptimeS: 7, heartbeatS: 60 }

// With 4 s the server bears a client whose event loop is blocked for 8 s. Two seconds would close the connection of
// a service that collects garbage for four: a false alarm that no client can prevent.
const minHeartbeatS = 4

/** The timers that fit a promise: a tick each `detectMs`, and the server's own values when nothing was promised. */
export function rabbitTimers(detectMs: number | null): RabbitTimers {
  if (detectMs === null) return serverDefaults
  const netTicktimeS = Math.ceil((4 * detectMs) / 1000)
  const netSetuptimeS = Math.ceil(detectMs / 1000)
  return { netTicktimeS, netSetuptimeS, heartbeatS: Math.max(minHeartbeatS, netTicktimeS) }
}
