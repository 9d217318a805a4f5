import { leaseOf, linkedController, Notifier, raceAbort } from '@ha/core/driver'
import { fromCore } from './from-core.ts'
import { gaveUp } from './gave-up.ts'
import type { Ground } from './ground.ts'
import type { WatchEvent } from './node.ts'
import type { CallOptions } from './operations/operations.ts'
import { checkPath } from './operations/paths.ts'
import { persist } from './recipes/persist.ts'
import type { Watches } from './watches/watches.ts'

/** Something has changed at or below a node, or may have: `missed` says that nobody heard of it, and all is to be read. */
export type BelowEvent = WatchEvent | { readonly kind: 'missed'; readonly path: string }

// Whoever is slower than this reads everything again, which costs less.
const mostWaiting = 10_000

/**
 * Tells of every change at and below a node, for as long as it is iterated, with one watch that stays (servers from 3.6
 * on, else `unsupported`). The first event is `missed`, for what was before: from then on nothing is lost, so read
 * everything at it. Servers tell nothing of what happened between two connections: that is `missed` again. Servers
 * before 3.9 forget the watch when the same client reads one of these nodes and watches it once; a `cache` does that.
 * Rejects with `aborted` when the signal fires, and with `closed` at the end of the client.
 */
export async function* watchBelow(
  ground: Ground,
  watches: Watches,
  path: string,
  { signal }: Pick<CallOptions, 'signal'> = {},
): AsyncGenerator<BelowEvent, void> {
  checkPath(path)
  const scope = linkedController(ground.signal, signal)
  const missed: BelowEvent = { kind: 'missed', path }
  const arrived = new Notifier()
  let waiting: BelowEvent[] = []
  const push = (event: BelowEvent): void => {
    if (waiting.length < mostWaiting) waiting.push(event)
    else waiting = [missed]
    arrived.notifyAll()
  }
  const stops: (() => void)[] = [scope.unlink]
  try {
    const { generation, stop } = await persist(ground, scope.signal, () =>
      listen(ground, watches, path, push, scope.signal),
    )
    stops.push(
      stop,
      onNextConnection(ground, generation, () => push(missed)),
    )
    push(missed)
    for (;;) {
      const told = waiting
      waiting = []
      yield* told
      if (waiting.length === 0) await arrived.wait(scope.signal)
    }
  } catch (thrown) {
    throw scope.signal.aborted
      ? gaveUp(ground, { what: `watchBelow ${path}`, path }, scope.signal.reason)
      : fromCore(thrown, path)
  } finally {
    for (const stop of stops) stop()
  }
}

interface Listening {
  /** The connection that the watch was set on. */
  readonly generation: number
  stop(): void
}

async function listen(
  { link }: Ground,
  watches: Watches,
  path: string,
  push: (event: WatchEvent) => void,
  signal: AbortSignal,
): Promise<Listening> {
  const { connection, generation } = await link.acquire(signal)
  try {
    const adding = watches.addRecursive(path, push, connection)
    return { generation, stop: await raceAbort(adding, signal, (stop) => stop()) }
  } catch (thrown) {
    throw fromCore(thrown, path)
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
