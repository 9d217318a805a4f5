import { abandonable, gate, scopeBelow } from '@ha/core'
import type { Ground } from './ground.ts'
import type { WatchEvent } from './node.ts'
import type { CallOptions, Watched } from './operations/operations.ts'
import { checkPath } from './operations/paths.ts'

/** What of a node is watched. */
export interface WatchOptions extends Pick<CallOptions, 'signal'> {
  /** Its data, whether it exists, or its children. */
  readonly kind: 'data' | 'exists' | 'children'
}

/**
 * Tells that a node has changed, until its signal fires or the loop over it is left: read it after each event. The
 * first one is told at once, for what was before. Several changes may be one event, and none is missed: the node is
 * watched again before an event is told.
 */
export async function* watchNode(
  ground: Ground,
  path: string,
  { kind, signal }: WatchOptions,
): AsyncGenerator<WatchEvent, void> {
  checkPath(path)
  const scope = scopeBelow(ground.signal, signal)
  let armed: Armed | undefined
  try {
    armed = await arm(ground, path, kind, scope.signal)
    yield { kind: kind === 'children' ? 'children' : 'changed', path }
    for (;;) {
      const event = await abandonable(armed.told, scope.signal, () => undefined)
      armed = await arm(ground, path, kind, scope.signal)
      yield event
    }
  } finally {
    armed?.unwatch()
    scope.end()
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
  const told = gate<WatchEvent>()
  const onEvent = (event: WatchEvent): void => told.resolve(event)
  for (;;) {
    await ground.sessions.live(signal)
    try {
      const watched: Watched<unknown> = await readOf[kind](ground, path, onEvent, { signal })
      return { told: told.promise, unwatch: () => watched.unwatch() }
    } catch (error) {
      signal.throwIfAborted()
      if (ground.sessions.connected) throw error
    }
  }
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
