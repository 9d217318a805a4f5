import { setTimeout as sleep } from 'node:timers/promises'
import { wallMs } from '../harness/wall-clock.ts'
import { onSession } from './raw-session.ts'

export interface FloorProbe {
  /** Servers that take part while the fault lasts, as `host:port`. */
  readonly survivors: readonly string[]
  /** The node below which the probe makes its nodes. */
  readonly folder: string
}

const everyMs = 20

// While the survivors elect, every attempt hangs and then succeeds: more of them would only be more to wait for.
const mostUnderway = 40

// Longer than an election with slow timers: whoever waits for one succeeds.
const attemptMs = 10_000

/**
 * What a client could at best come near: it detects nothing and restores nothing, it begins a new session on a survivor
 * and makes a node, again and again until the signal fires. Resolves with the instants of its successes; their longest
 * silence is the floor.
 */
export async function probeFloor(
  { survivors, folder }: FloorProbe,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const successes: number[] = []
  const underway = new Set<Promise<void>>()
  for (let i = 0; !signal.aborted; i++) {
    if (underway.size < mostUnderway) {
      const attempt = createOnce(survivors[i % survivors.length] ?? '', `${folder}/${i}`).then(
        () => void successes.push(wallMs()),
        () => undefined,
      )
      underway.add(attempt)
      void attempt.finally(() => underway.delete(attempt))
    }
    await sleep(everyMs)
  }
  await Promise.all(underway)
  return successes
}

function createOnce(endpoint: string, path: string): Promise<void> {
  return onSession(endpoint, (session) => session.create(path), attemptMs)
}
