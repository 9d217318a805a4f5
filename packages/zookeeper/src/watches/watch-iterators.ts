import { deferred, leaseOf, linkedController, Notifier, raceAbort } from '@ha/core/driver'
import { toZookeeperError } from '../connection/error-classification.ts'
import { type ClientContext, retryUntilAborted, waitError } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import type { WatchEvent } from '../node.ts'
import { checkChoice, resolveSignal } from '../operations/call-options.ts'
import type { CallOptions, Watched } from '../operations/operations.ts'
import { checkPath } from '../operations/paths.ts'
import type { Watches } from './watches.ts'

/** What a watch observes. */
export interface WatchOptions extends Pick<CallOptions, 'signal'> {
  /** The data of the node, its existence, or its children. */
  readonly kind: 'data' | 'exists' | 'children'
}

/**
 * Iterates over the changes of a node until the signal fires or the loop is left: read the node after each event. The
 * first event comes at once and stands for everything before. Several changes may be one event, and none is missed: the
 * node is watched again before an event is returned. Rejects with `aborted` when the signal fires, and with `closed`
 * when the client is closed.
 */
export function watchNode(
  context: ClientContext,
  path: string,
  options: WatchOptions,
): AsyncGenerator<WatchEvent, void> {
  checkPath(path)
  const signal = resolveWatch(path, options)
  return iterateNode(context, path, options.kind, signal)
}

const watchKinds: readonly WatchOptions['kind'][] = ['data', 'exists', 'children']

function resolveWatch(path: string, options: WatchOptions): AbortSignal | undefined {
  if (typeof options !== 'object' || options === null)
    throw new ZookeeperError('config-invalid', `watch ${path}: expected options such as { kind: 'data' }`, {
      path,
    })
  const { kind, ...limit } = options
  checkChoice('watch.kind', path, kind, watchKinds)
  return resolveSignal('watch', limit)
}

async function* iterateNode(
  context: ClientContext,
  path: string,
  kind: WatchOptions['kind'],
  signal: AbortSignal | undefined,
): AsyncGenerator<WatchEvent, void> {
  const scope = linkedController(context.signal, signal)
  let armed: ArmedWatch | undefined
  try {
    armed = await armWatch(context, path, kind, scope.signal)
    yield { kind: kind === 'children' ? 'children' : 'changed', path }
    for (;;) {
      const event = await raceAbort(armed.event, scope.signal, () => undefined)
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
  readonly event: Promise<WatchEvent>
  unwatch(): void
}

// A watch waits for as long as the ensemble is away: only the signal ends it.
async function armWatch(
  context: ClientContext,
  path: string,
  kind: WatchOptions['kind'],
  signal: AbortSignal,
): Promise<ArmedWatch> {
  const changed = deferred<WatchEvent>()
  const onEvent = (event: WatchEvent): void => changed.resolve(event)
  const { unwatch } = await retryUntilAborted(context, signal, (call) =>
    readOf[kind](context, path, onEvent, call),
  )
  return { event: changed.promise, unwatch }
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

/** A change at or below a node; `missed`: events may have been lost, read everything. */
export type RecursiveWatchEvent = WatchEvent | { readonly kind: 'missed'; readonly path: string }

// A consumer that is further behind reads everything again, which costs less.
const maxBufferedEvents = 10_000

/**
 * Iterates over every change at and below a node, with one persistent recursive watch (servers from 3.6 on, else
 * `unsupported`). The first event is `missed`, for everything before: read everything then, and no later change is
 * lost. Servers report nothing of what happened between two connections: the event is `missed` again. Servers before
 * 3.9 drop the watch when the same client reads one of these nodes with a one-time watch, as a `cache` does. Rejects
 * with `aborted` when the signal fires, and with `closed` when the client is closed.
 */
export function watchRecursive(
  context: ClientContext,
  watches: Watches,
  path: string,
  options?: Pick<CallOptions, 'signal'>,
): AsyncGenerator<RecursiveWatchEvent, void> {
  checkPath(path)
  return iterateTree(context, watches, path, resolveSignal('watchRecursive', options))
}

async function* iterateTree(
  context: ClientContext,
  watches: Watches,
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<RecursiveWatchEvent, void> {
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
      const events = waiting
      waiting = []
      yield* events
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
  /** The generation of the connection that the watch was set on. */
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
