import { deferred, linkedController, raceAbort } from '@ha/core/driver'
import { fromCore } from './from-core.ts'
import { gaveUp } from './gave-up.ts'
import type { Ground } from './ground.ts'
import type { WatchEvent } from './node.ts'
import type { CallOptions, Watched } from './operations/operations.ts'
import { checkPath } from './operations/paths.ts'
import { persist } from './recipes/persist.ts'

/** What of a node is watched. */
export interface WatchOptions extends Pick<CallOptions, 'signal'> {
  /** Its data, whether it exists, or its children. */
  readonly kind: 'data' | 'exists' | 'children'
}

/**
 * Tells that a node has changed, until its signal fires or the loop over it is left: read it after each event. The
 * first one is told at once, for what was before. Several changes may be one event, and none is missed: the node is
 * watched again before an event is told. Rejects with `aborted` when the signal fires, and with `closed` at the end of
 * the client.
 */
export async function* watchNode(
  ground: Ground,
  path: string,
  { kind, signal }: WatchOptions,
): AsyncGenerator<WatchEvent, void> {
  checkPath(path)
  const scope = linkedController(ground.signal, signal)
  let armed: Armed | undefined
  try {
    armed = await arm(ground, path, kind, scope.signal)
    yield { kind: kind === 'children' ? 'children' : 'changed', path }
    for (;;) {
      const event = await raceAbort(armed.told, scope.signal, () => undefined)
      armed = await arm(ground, path, kind, scope.signal)
      yield event
    }
  } catch (thrown) {
    throw scope.signal.aborted
      ? gaveUp(ground, { what: `watch ${path}`, path }, scope.signal.reason)
      : fromCore(thrown, path)
  } finally {
    armed?.unwatch()
    scope.unlink()
  }
}

interface Armed {
  readonly told: Promise<WatchEvent>
  unwatch(): void
}

// However long the ensemble is away: a watch has no deadline but the patience of whoever iterates.
async function arm(
  ground: Ground,
  path: string,
  kind: WatchOptions['kind'],
  signal: AbortSignal,
): Promise<Armed> {
  const told = deferred<WatchEvent>()
  const onEvent = (event: WatchEvent): void => told.resolve(event)
  const { unwatch } = await persist(ground, signal, (call) => readOf[kind](ground, path, onEvent, call))
  return { told: told.promise, unwatch }
}

const readOf: Readonly<
  Record<
    WatchOptions['kind'],
    (
      ground: Ground,
      path: string,
      onEvent: (event: WatchEvent) => void,
      call: CallOptions,
    ) => Promise<Watched<unknown>>
  >
> = {
  data: ({ watched }, path, onEvent, call) => watched.get(path, onEvent, call),
  exists: ({ watched }, path, onEvent, call) => watched.exists(path, onEvent, call),
  children: ({ watched }, path, onEvent, call) => watched.children(path, onEvent, call),
}
