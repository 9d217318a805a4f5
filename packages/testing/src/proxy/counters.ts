import type { ProxyEvent } from './event.ts'
import type { Flow } from './flow.ts'

/** How often what happened, and how much was carried. Clients that are refused or stalled are not seen here. */
export interface Counters {
  /** Clients that were let in and for whom the server was dialled. */
  readonly accepted: number
  /** Clients that met a door that is `silent`, `close` or `reset`. */
  readonly turnedAway: number
  readonly dialFailed: number
  /** Connections whose both sockets are closed. */
  readonly closed: number
  /** Bytes passed on to the server. */
  readonly upBytes: number
  /** Bytes passed on to clients. */
  readonly downBytes: number
}

/** Nothing has happened. */
export const noCounts: Counters = {
  accepted: 0,
  turnedAway: 0,
  dialFailed: 0,
  closed: 0,
  upBytes: 0,
  downBytes: 0,
}

/** The counters after an event. A connection's bytes are counted when it closes: see {@link withFlows}. */
export function counted(counters: Counters, event: ProxyEvent): Counters {
  switch (event.kind) {
    case 'accepted':
      return { ...counters, accepted: counters.accepted + 1 }
    case 'turned-away':
      return { ...counters, turnedAway: counters.turnedAway + 1 }
    case 'dial-failed':
      return { ...counters, dialFailed: counters.dialFailed + 1 }
    case 'closed':
      return withFlows({ ...counters, closed: counters.closed + 1 }, [event])
    case 'dialled':
    case 'first-byte':
    case 'ended':
    case 'cut':
    case 'faults':
    case 'door':
      return counters
  }
}

/** The counters with what these connections have carried so far. */
export function withFlows(
  counters: Counters,
  connections: Iterable<{ readonly up: Flow; readonly down: Flow }>,
): Counters {
  let { upBytes, downBytes } = counters
  for (const { up, down } of connections) {
    upBytes += up.passedBytes
    downBytes += down.passedBytes
  }
  return { ...counters, upBytes, downBytes }
}
