import type { Endpoint } from '@ha/core'
import type { CutHow, Direction, Faults } from './faults.ts'
import type { AcceptMode } from './listener.ts'

/** A {@link ProxyEvent} and when it happened, by the proxy's clock. */
export type TimelineEntry = ProxyEvent & { readonly atMs: number }

// About ten entries a connection: a long soak must not fill the memory with history.
const maxEntries = 100_000

/** The history of a proxy, oldest first; the oldest entries are dropped when there are too many. */
export class Timeline {
  readonly #entries: TimelineEntry[] = []
  #counters: Counters = noCounts

  get entries(): readonly TimelineEntry[] {
    return this.#entries
  }

  get counters(): Counters {
    return this.#counters
  }

  record(atMs: number, event: ProxyEvent): void {
    if (this.#entries.length === maxEntries) this.#entries.shift()
    this.#entries.push({ ...event, atMs })
    this.#counters = countEvent(this.#counters, event)
  }
}

/** An event of the proxy. `connection` is the id of the connection. */
export type ProxyEvent =
  /** A client was accepted; the proxy connects to the server for it. */
  | { readonly kind: 'accepted'; readonly connection: number; readonly client: Endpoint }
  /** A client was accepted only to be treated as the accept mode requires. */
  | { readonly kind: 'turned-away'; readonly door: AcceptMode; readonly client: Endpoint }
  /** The server accepted the connection. */
  | { readonly kind: 'dialled'; readonly connection: number }
  /** The connection to the server failed; the client is reset. */
  | { readonly kind: 'dial-failed'; readonly connection: number; readonly error: Error }
  | { readonly kind: 'first-byte'; readonly connection: number; readonly direction: Direction }
  /** The sender of this direction ended by itself: FIN or RST. */
  | {
      readonly kind: 'ended'
      readonly connection: number
      readonly direction: Direction
      readonly how: 'end' | 'reset'
    }
  /** A fault or a call of `cut` ended the connection, or one direction of it. */
  | {
      readonly kind: 'cut'
      readonly connection: number
      readonly how: CutHow
      readonly direction?: Direction
    }
  /** Both sockets are closed. */
  | { readonly kind: 'closed'; readonly connection: number; readonly up: Flow; readonly down: Flow }
  /** Faults were set; without `connection`, for all connections. */
  | { readonly kind: 'faults'; readonly connection?: number; readonly faults: Required<Faults> }
  | { readonly kind: 'door'; readonly door: AcceptMode }

/** Counts of events and bytes. Clients that are refused or stalled do not reach the proxy and are not counted. */
export interface Counters {
  /** Clients that were accepted and for whom the proxy connected to the server. */
  readonly accepted: number
  /** Clients that were accepted in the mode `silent`, `close` or `reset`. */
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
const noCounts: Counters = {
  accepted: 0,
  turnedAway: 0,
  dialFailed: 0,
  closed: 0,
  upBytes: 0,
  downBytes: 0,
}

/** The counters after an event. A connection's bytes are counted when it closes: see {@link withFlows}. */
function countEvent(counters: Counters, event: ProxyEvent): Counters {
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

/** The byte counts of one direction of a connection: `readBytes` is the sum of what passed, was dropped and is held. */
export interface Flow {
  /** Read from the sender. */
  readonly readBytes: number
  /** Of these: passed on to the receiver. */
  readonly passedBytes: number
  /** Of these: dropped by a fault, by `heal({ held: 'drop' })`, or because the receiver was gone. */
  readonly droppedBytes: number
  /** Of these: still in the proxy. */
  readonly heldBytes: number
  /** When the proxy read the sender's first byte; absent before. */
  readonly firstByteAtMs?: number
  /** When the proxy read the sender's latest byte; absent before the first. */
  readonly lastByteAtMs?: number
}

/** A direction that has carried nothing. */
export const noFlow: Flow = { readBytes: 0, passedBytes: 0, droppedBytes: 0, heldBytes: 0 }

/** The flow after a chunk was read. */
export function afterRead(flow: Flow, bytes: number, nowMs: number): Flow {
  return {
    ...flow,
    readBytes: flow.readBytes + bytes,
    heldBytes: flow.heldBytes + bytes,
    firstByteAtMs: flow.firstByteAtMs ?? nowMs,
    lastByteAtMs: nowMs,
  }
}

/** The flow after held bytes were passed on. */
export function afterPass(flow: Flow, bytes: number): Flow {
  return { ...flow, passedBytes: flow.passedBytes + bytes, heldBytes: flow.heldBytes - bytes }
}

/** The flow after everything that was held is dropped. */
export function afterDrop(flow: Flow): Flow {
  return { ...flow, droppedBytes: flow.droppedBytes + flow.heldBytes, heldBytes: 0 }
}
