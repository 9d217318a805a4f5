/** Something to be asked of a server. Paths are whole: with the chroot. */
export interface Request<T> {
  /** Its name in errors, such as `getData`. */
  readonly name: string
  readonly opcode: number
  /** The node that it is about, if it is about one. */
  readonly path: string | undefined
  /** The number that the protocol sets aside for requests of this kind. Without it, the connection counts. */
  readonly fixedXid?: number
  /** The body, without header. */
  encode(): Buffer
  /** The answer to a request that was done. Throws `MalformedError`, and `ReplyError` where the body says no. */
  decode(body: Buffer): T
}

/** The numbers that are set aside. Those of the connection's own count begin at 1. */
export const xids = { event: -1, ping: -2, auth: -4, setWatches: -8 } as const

/** The body of a request or an answer that has none. */
export function nothing(): Buffer {
  return Buffer.alloc(0)
}

/** Reads an answer that says nothing but yes. */
export function ignored(): void {}
