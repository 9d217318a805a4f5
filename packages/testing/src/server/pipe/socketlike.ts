import type { Duplex } from 'node:stream'

/** A fake server's end of a connection: a stream, and how it is ended by force. */
export interface Socketlike {
  readonly stream: Duplex
  /** Ends it at once, so that the other side reads ECONNRESET. */
  readonly reset: () => void
  /** The same when the other side has read what it was told: who finds bytes and an RST together is told of the RST alone. */
  readonly resetBehind: () => void
}
