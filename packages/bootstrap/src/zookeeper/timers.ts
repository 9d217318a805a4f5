/** The timers of an ensemble, in the words of its configuration. */
export interface ZookeeperTimers {
  /** The length of a tick: servers ping each other every half of it, and sessions expire on its boundaries. */
  readonly tickMs: number
  /** How many ticks a server may take to connect to a new leader and to get what it lacks. */
  readonly initLimit: number
  /** How many ticks a server may be silent before the others give it up. */
  readonly syncLimit: number
  /** How long a server waits for another one to take its connection. */
  readonly connectMs: number
}

// Those of the sample configuration that everybody copies, and the server's own for a connection.
const serverDefaults: ZookeeperTimers = { tickMs: 2000, initLimit: 10, syncLimit: 5, connectMs: 5000 }

// One tick of silence would be too short: a ping that is late by half a tick would end a quorum that is well.
const syncLimit = 2

/** The timers that fit a promise: a leader or follower that was silent for `detectMs` is given up by the others. */
export function zookeeperTimers(detectMs: number | null): ZookeeperTimers {
  if (detectMs === null) return serverDefaults
  const tickMs = Math.ceil(detectMs / syncLimit)
  return { tickMs, initLimit: serverDefaults.initLimit, syncLimit, connectMs: detectMs }
}
