import { abandonable, gate, scopeBelow } from '@ha/core'
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
  const gone = gate()
  const scope = scopeBelow(signal)
  const watch = async (path: string): Promise<void> => {
    const { value, unwatch } = await persist(ground, scope.signal, (options) =>
      ground.watched.exists(path, () => gone.resolve(), options),
    )
    if (value === undefined) gone.resolve()
    await abandonable(gone.promise, scope.signal, () => undefined).finally(unwatch)
  }
  for (const name of names) watch(childOf(folder, name)).catch(gone.reject)
  try {
    await abandonable(gone.promise, signal, () => undefined)
  } finally {
    scope.abort(undefined)
  }
}
