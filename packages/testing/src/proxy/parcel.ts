import type { Plan } from './plan.ts'

/** Something on its way to the receiver: a chunk of bytes, or how the sender ended. */
export type Parcel = Bytes | Ending

interface Bytes extends Arrival {
  readonly kind: 'bytes'
  readonly bytes: Buffer
}

interface Ending extends Arrival {
  readonly kind: 'end' | 'reset'
}

interface Arrival {
  readonly arrivedAtMs: number
  /** From 0 to 1: this parcel's share of the jitter. */
  readonly luck: number
}

/** When a parcel may leave. It follows from the plan of now: a fault that is lifted lets go of what it held. */
export function dueAtMs(plan: Plan, parcel: Parcel): number {
  const lateMs = parcel.kind === 'bytes' ? 0 : plan.endDelayMs
  return parcel.arrivedAtMs + plan.delayMs + plan.jitterMs * parcel.luck + lateMs
}

/** The first `count` bytes of what is held; a copy only when they lie in more than one chunk. */
export function firstBytes(held: readonly Parcel[], count: number): Buffer {
  const chunks: Buffer[] = []
  let missing = count
  for (const parcel of held) {
    if (missing === 0 || parcel.kind !== 'bytes') break
    const chunk = parcel.bytes.subarray(0, missing)
    chunks.push(chunk)
    missing -= chunk.length
  }
  const [only] = chunks
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks)
}

/** Takes the first `count` bytes out of what is held. */
export function removeBytes(held: Parcel[], count: number): void {
  let left = count
  for (let head = held[0]; left > 0 && head?.kind === 'bytes'; head = held[0]) {
    if (head.bytes.length > left) {
      held[0] = { ...head, bytes: head.bytes.subarray(left) }
      return
    }
    left -= head.bytes.length
    held.shift()
  }
}
