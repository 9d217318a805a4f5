import { roundTrip } from './round-trip.ts'
import { complaintOf, type Limits, type Sign } from './vital-signs.ts'

/** The question of a health gate: whether the gateway answers, fast enough, and mostly without errors. */
export function healthCheck(url: string, limits: Limits): (signal: AbortSignal) => Promise<boolean> {
  let signs: readonly Sign[] = []
  return async (signal) => {
    const sign = await look(url, signal)
    signs = [...signs, sign].slice(-limits.window)
    const complaint = complaintOf(signs, limits)
    if (complaint !== undefined) throw new Error(complaint)
    return true
  }
}

async function look(url: string, signal: AbortSignal): Promise<Sign> {
  try {
    return { kind: 'answered', latencyMs: await roundTrip(url, signal) }
  } catch (error) {
    return { kind: 'failed', error: error as Error }
  }
}
