import { isDeepStrictEqual } from 'node:util'
import type { Notifier } from '@ha/core/driver'
import type { Instance } from './instance.ts'

/** How a list differs from an earlier one. */
export interface ServiceChange {
  readonly added: readonly Instance[]
  /** As they are now. */
  readonly changed: readonly Instance[]
  /** As they were. */
  readonly removed: readonly Instance[]
}

/** The difference between two lists; undefined when there is none. */
export function difference(
  before: readonly Instance[],
  after: readonly Instance[],
): ServiceChange | undefined {
  if (before === after) return undefined
  const gone = new Map(before.map((instance) => [instance.id, instance]))
  const added: Instance[] = []
  const changed: Instance[] = []
  for (const instance of after) {
    const earlier = gone.get(instance.id)
    gone.delete(instance.id)
    if (earlier === undefined) added.push(instance)
    else if (!isDeepStrictEqual(earlier, instance)) changed.push(instance)
  }
  if (added.length + changed.length + gone.size === 0) return undefined
  return { added, changed, removed: [...gone.values()] }
}

/**
 * Each difference between what was told before and what `current` says, beginning with the whole list, until the signal
 * fires. Whoever is slow misses no difference: it becomes part of the next one, so nothing piles up.
 */
export async function* differences(
  current: () => readonly Instance[],
  changed: Notifier,
  signal: AbortSignal,
): AsyncGenerator<ServiceChange, void, undefined> {
  let told: readonly Instance[] = []
  while (!signal.aborted) {
    const now = current()
    const change = difference(told, now)
    told = now
    if (change !== undefined) yield change
    else await nextOrEnd(changed, signal)
  }
}

async function nextOrEnd(changed: Notifier, signal: AbortSignal): Promise<void> {
  try {
    await changed.wait(signal)
  } catch (reason) {
    // The end of the signal is the end of the list, and no failure.
    if (!signal.aborted) throw reason
  }
}
