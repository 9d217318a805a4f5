import { asError } from '@ha/core/driver'
import type { Direction, Fault } from './fault.ts'
import type { FaultProxy } from './proxy.ts'

/** One attempt for each byte at which a fault may begin. */
export interface Sweep {
  readonly proxy: FaultProxy
  readonly direction: Direction
  /** The fault that begins behind that many bytes, e.g. `(afterBytes) => ({ kind: 'cut', how: 'reset', afterBytes })`. */
  readonly fault: (afterBytes: number) => Fault
  /** Default 0: before the first byte. */
  readonly fromByte?: number
  /** The last position, itself included: the length of the exchange puts the fault right behind it. */
  readonly toByte: number
  /** Default 1: each byte. */
  readonly everyBytes?: number
  /** Connects through the proxy and checks what must hold wherever the fault strikes. */
  readonly attempt: (afterBytes: number) => Promise<void>
}

/**
 * Runs `attempt` once for each position, one after the other, with the fault set for connections made in it. Each
 * begins without connections: those of the one before are reset. Afterwards, also after a failure, the proxy is
 * healed. An attempt that fails is reported with its position.
 */
export async function sweepBytes(sweep: Sweep): Promise<void> {
  const { proxy, direction, fault, fromByte = 0, toByte, everyBytes = 1 } = sweep
  try {
    for (let afterBytes = fromByte; afterBytes <= toByte; afterBytes += everyBytes) {
      proxy.set({ [direction]: [fault(afterBytes)] })
      await tried(sweep, afterBytes)
      proxy.cut('reset')
    }
  } finally {
    await proxy.heal({ held: 'drop' })
  }
}

async function tried({ attempt, direction, fault }: Sweep, afterBytes: number): Promise<void> {
  try {
    await attempt(afterBytes)
  } catch (cause) {
    // Not one of our errors: it is the test's own, and the test should see it with its place.
    const place = `'${fault(afterBytes).kind}' after byte ${afterBytes} ${direction}`
    throw new Error(`the attempt with ${place} failed: ${asError(cause).message}`, { cause })
  }
}
