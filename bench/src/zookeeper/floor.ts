import { type FloorPace, successesOf } from '../harness/floor-probe.ts'
import { onSession } from './raw-session.ts'

export interface FloorProbe {
  /** Servers that take part while the fault lasts, as `host:port`. */
  readonly survivors: readonly string[]
  /** The node below which the probe makes its nodes. */
  readonly folder: string
}

// While the survivors elect, every attempt hangs and then succeeds: more of them would only be more to wait for.
const pace: FloorPace = { everyMs: 20, mostUnderway: 40 }

// Longer than an election with slow timers: whoever waits for one succeeds.
const attemptMs = 10_000

/**
 * What a client could at best come near: it detects nothing and restores nothing, it begins a new session on a survivor
 * and makes a node, again and again until the signal fires. Resolves with the instants of its successes; their longest
 * silence is the floor.
 */
export function probeFloor(
  { survivors, folder }: FloorProbe,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const attempt = (i: number): Promise<unknown> =>
    createOnce(survivors[i % survivors.length] ?? '', `${folder}/${i}`)
  return successesOf(attempt, pace, signal)
}

function createOnce(endpoint: string, path: string): Promise<void> {
  return onSession(endpoint, (session) => session.create(path), attemptMs)
}
