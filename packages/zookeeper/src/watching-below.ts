import { leaseOf, Pulse, scopeBelow } from '@ha/core'
import { fromCore } from './from-core.ts'
import type { Ground } from './ground.ts'
import type { WatchEvent } from './node.ts'
import type { CallOptions } from './operations/operations.ts'
import { checkPath } from './operations/paths.ts'
import type { Watches } from './watches/watches.ts'

/** Something has changed at or below a node, or may have: `missed` says that events were lost, and all is to be read. */
export type BelowEvent = WatchEvent | { readonly kind: 'missed'; readonly path: string }

// Whoever is slower than this reads everything again, which costs less.
const mostWaiting = 10_000

/**
 * Tells of every change at and below a node, for as long as it is iterated, with one watch that stays (servers from 3.6
 * on, else `unsupported`). Servers tell nothing of what happened between two connections: that is `missed`. Servers
 * before 3.9 forget the watch when the same client reads one of these nodes and watches it once; a `cache` does that.
 */
export async function* watchBelow(
  ground: Ground,
  watches: Watches,
  path: string,
  { signal }: Pick<CallOptions, 'signal'> = {},
): AsyncGenerator<BelowEvent, void> {
  checkPath(path)
  const scope = scopeBelow(ground.signal, signal)
  const missed: BelowEvent = { kind: 'missed', path }
  const arrived = new Pulse()
  let waiting: BelowEvent[] = []
  const push = (event: BelowEvent): void => {
    if (waiting.length < mostWaiting) waiting.push(event)
    else waiting = [missed]
    arrived.fire()
  }
  const stops: (() => void)[] = [scope.end]
  try {
    const lease = await ground.link.acquire(scope.signal)
    stops.push(await watches.addRecursive(path, push, lease.connection))
    stops.push(onNextConnection(ground, lease.generation, () => push(missed)))
    for (;;) {
      const told = waiting
      waiting = []
      yield* told
      if (waiting.length === 0) await arrived.wait(scope.signal)
    }
  } catch (error) {
    throw fromCore(error, path)
  } finally {
    for (const stop of stops) stop()
  }
}

function onNextConnection({ link }: Ground, first: number, call: () => void): () => void {
  let generation = first
  return link.events.on('state', (state) => {
    const now = leaseOf(state)?.generation ?? generation
    if (state.kind !== 'ready' || now === generation) return
    generation = now
    call()
  })
}
