import { deferred, leaseOf, linkedController, Notifier, raceAbort } from '@ha/core/driver'
import { toZookeeperError } from '../connection/error-classification.ts'
import { type ClientContext, retryUntilAborted, waitError } from '../context.ts'
import type { WatchEvent } from '../node.ts'
import type { CallOptions, Watched } from '../operations/operations.ts'
import { checkPath } from '../operations/paths.ts'
import type { Watches } from './watches.ts'

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
  context: ClientContext,
  path: string,
  { kind, signal }: WatchOptions,
): AsyncGenerator<WatchEvent, void> {
  checkPath(path)
  const scope = linkedController(context.signal, signal)
  let armed: ArmedWatch | undefined
  try {
    armed = await armWatch(context, path, kind, scope.signal)
    yield { kind: kind === 'children' ? 'children' : 'changed', path }
    for (;;) {
      const event = await raceAbort(armed.told, scope.signal, () => undefined)
      armed = await armWatch(context, path, kind, scope.signal)
      yield event
    }
  } catch (thrown) {
    throw scope.signal.aborted
      ? waitError(context, { what: `watch ${path}`, path }, scope.signal.reason)
      : toZookeeperError(thrown, path)
  } finally {
    armed?.unwatch()
    scope.unlink()
  }
}

interface ArmedWatch {
  readonly told: Promise<WatchEvent>
  unwatch(): void
}

// However long the ensemble is away: a watch has no deadline but the patience of whoever iterates.
async function armWatch(
  context: ClientContext,
  path: string,
  kind: WatchOptions['kind'],
  signal: AbortSignal,
): Promise<ArmedWatch> {
  const told = deferred<WatchEvent>()
  const onEvent = (event: WatchEvent): void => told.resolve(event)
  const { unwatch } = await retryUntilAborted(context, signal, (call) =>
    readOf[kind](context, path, onEvent, call),
  )
  return { told: told.promise, unwatch }
}

const readOf: Readonly<
  Record<
    WatchOptions['kind'],
    (
      context: ClientContext,
      path: string,
      onEvent: (event: WatchEvent) => void,
      call: CallOptions,
    ) => Promise<Watched<unknown>>
  >
> = {
  data: ({ watchedReads }, path, onEvent, call) => watchedReads.get(path, onEvent, call),
  exists: ({ watchedReads }, path, onEvent, call) => watchedReads.exists(path, onEvent, call),
  children: ({ watchedReads }, path, onEvent, call) => watchedReads.children(path, onEvent, call),
}

/** Something has changed at or below a node, or may have: `missed` says that nobody heard of it, and all is to be read. */
export type RecursiveWatchEvent = WatchEvent | { readonly kind: 'missed'; readonly path: string }

// Whoever is slower than this reads everything again, which costs less.
const maxBufferedEvents = 10_000

/**
 * Tells of every change at and below a node, for as long as it is iterated, with one watch that stays (servers from 3.6
 * on, else `unsupported`). The first event is `missed`, for what was before: from then on nothing is lost, so read
 * everything at it. Servers tell nothing of what happened between two connections: that is `missed` again. Servers
 * before 3.9 forget the watch when the same client reads one of these nodes and watches it once; a `cache` does that.
 * Rejects with `aborted` when the signal fires, and with `closed` at the end of the client.
 */
export async function* watchRecursive(
  context: ClientContext,
  watches: Watches,
  path: string,
  { signal }: Pick<CallOptions, 'signal'> = {},
): AsyncGenerator<RecursiveWatchEvent, void> {
  checkPath(path)
  const scope = linkedController(context.signal, signal)
  const missed: RecursiveWatchEvent = { kind: 'missed', path }
  const arrived = new Notifier()
  let waiting: RecursiveWatchEvent[] = []
  const push = (event: RecursiveWatchEvent): void => {
    if (waiting.length < maxBufferedEvents) waiting.push(event)
    else waiting = [missed]
    arrived.notifyAll()
  }
  const stops: (() => void)[] = [scope.unlink]
  try {
    const { generation, stop } = await retryUntilAborted(context, scope.signal, () =>
      addRecursiveListener(context, watches, path, push, scope.signal),
    )
    stops.push(
      stop,
      onNextConnection(context, generation, () => push(missed)),
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
      ? waitError(context, { what: `watchRecursive ${path}`, path }, scope.signal.reason)
      : toZookeeperError(thrown, path)
  } finally {
    for (const stop of stops) stop()
  }
}

interface RecursiveListener {
  /** The connection that the watch was set on. */
  readonly generation: number
  stop(): void
}

async function addRecursiveListener(
  { link }: ClientContext,
  watches: Watches,
  path: string,
  push: (event: WatchEvent) => void,
  signal: AbortSignal,
): Promise<RecursiveListener> {
  const { connection, generation } = await link.acquire(signal)
  try {
    const adding = watches.addRecursive(path, push, connection)
    return { generation, stop: await raceAbort(adding, signal, (stop) => stop()) }
  } catch (thrown) {
    throw toZookeeperError(thrown, path)
  }
}

function onNextConnection({ link }: ClientContext, first: number, call: () => void): () => void {
  let generation = first
  return link.events.on('state', (state) => {
    const now = leaseOf(state)?.generation ?? generation
    if (state.kind !== 'ready' || now === generation) return
    generation = now
    call()
  })
}
