import { deferred, linkedController, raceAbort } from '@ha/core/driver'
import type { Ground } from '../ground.ts'
import { childOf } from '../operations/paths.ts'
import { persist } from './persist.ts'

/** Waits until one of these nodes has gone, or has been written to: whoever waits looks again. */
export async function oneGone(
  ground: Ground,
  folder: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const gone = deferred()
  const scope = linkedController(signal)
  const watch = async (path: string): Promise<void> => {
    const { value, unwatch } = await persist(ground, scope.signal, (options) =>
      ground.watched.exists(path, () => gone.resolve(), options),
    )
    if (value === undefined) gone.resolve()
    await raceAbort(gone.promise, scope.signal, () => undefined).finally(unwatch)
  }
  for (const name of names) watch(childOf(folder, name)).catch(gone.reject)
  try {
    await raceAbort(gone.promise, signal, () => undefined)
  } finally {
    scope.abort(undefined)
  }
}
