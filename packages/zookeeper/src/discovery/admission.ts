import type { Instance } from './instance.ts'

/**
 * The instances that may be picked: those that want to be used, without those that are left out. At most half of them
 * are: when more have failed it is likelier that the fault is ours, or that all of them are overloaded, and those that
 * have been left out for the longest are used again.
 */
export function admitted(
  instances: readonly Instance[],
  leftOutUntilMs: (instance: Instance) => number | undefined,
): readonly Instance[] {
  const wanted = instances.filter(({ status }) => status === 'up')
  const untilMs = new Map<Instance, number>()
  for (const instance of wanted) {
    const until = leftOutUntilMs(instance)
    if (until !== undefined) untilMs.set(instance, until)
  }
  if (untilMs.size === 0) return wanted
  const latestFirst = [...untilMs].sort(([, a], [, b]) => b - a).map(([instance]) => instance)
  const leftOut = new Set(latestFirst.slice(0, Math.floor(wanted.length / 2)))
  return wanted.filter((instance) => !leftOut.has(instance))
}
