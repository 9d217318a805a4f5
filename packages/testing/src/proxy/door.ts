import type { PortMode } from './listener.ts'

/**
 * How the proxy treats a client that arrives.
 *
 * - `open`: accepted, and a connection to the server is dialled.
 * - `refuse`: the listener is closed, so the kernel refuses.
 * - `silent`: accepted; what the client says is read and dropped, nothing is ever answered, no server is dialled.
 * - `close`: accepted and closed (FIN).
 * - `reset`: accepted and reset (RST).
 * - `stall`: not accepted: the listener's queue is full, the client's SYN gets no answer and its connect hangs. This
 *   is a real full queue of the kernel (seen on Linux; other systems may refuse instead). It is not a route that is
 *   gone: a client that waits is let in when the door opens again, at its kernel's next SYN, about a second later.
 */
export type Door = 'open' | 'refuse' | 'silent' | 'close' | 'reset' | 'stall'

/** What the port does under each door. */
export const portModes: Readonly<Record<Door, PortMode>> = {
  open: 'listening',
  refuse: 'shut',
  silent: 'listening',
  close: 'listening',
  reset: 'listening',
  stall: 'stalled',
}
