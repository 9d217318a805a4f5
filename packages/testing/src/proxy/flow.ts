/** What one direction of a connection has carried: `readBytes` is the sum of what passed, was dropped and is held. */
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
