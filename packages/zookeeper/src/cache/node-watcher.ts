import { type Backoff, type Clock, fullJitter } from '@ha/core'
import { asError } from '@ha/core/driver'
import { isPermanent, refusalDelay } from '../context.ts'
import type { WatchEvent } from '../node.ts'
import type { Watched } from '../operations/operations.ts'

/** What all watchers of a cache share. */
export interface WatcherDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly reads: ReadQueue
  readonly counts: ReadCounts
  readonly jitterMs: number
}

/** What a watcher reads, and where the result goes. */
export interface WatchTarget<V> {
  /** Whether it is the root of the cache, which is also watched while it does not exist. */
  readonly isRoot: boolean
  /** Whether only its own node is missing from the cache while it cannot be read. */
  readonly isLeaf: boolean
  read(onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<Watched<V | undefined>>
  /** Takes the value that was read; undefined when the node does not exist. */
  fold(value: V | undefined): void
}

// `error` is the error of the last read.
type WatcherState =
  | { readonly kind: 'due'; readonly error: Error | undefined }
  | { readonly kind: 'reading'; readonly error: Error | undefined }
  | { readonly kind: 'watching'; readonly unwatch: () => void }
  /** The next read is scheduled: after `error`, or after a change with jitter. */
  | { readonly kind: 'scheduled'; readonly cancel: () => void; readonly error: Error | undefined }
  /** The node does not exist and is not watched: the parent's list of children shows when it is created again. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'dropped' }

// A transient error is retried within a second, so that the cache is current soon after the fault is over. A permanent
// error, such as a missing permission or a list that is too large, is retried with growing pauses, because an administrator
// may correct its cause.
const transientBackoff: Backoff = fullJitter({ baseMs: 100, maxMs: 1_000 })

/**
 * Follows the data or the children of one node: reads, watches, and reads again after a change. At any time it has at
 * most one watch.
 */
export class NodeWatcher<V> implements QueuedRead {
  readonly #deps: WatcherDeps
  readonly #target: WatchTarget<V>
  #state: WatcherState = { kind: 'absent' }
  #failures = 0

  constructor(deps: WatcherDeps, target: WatchTarget<V>) {
    this.#deps = deps
    this.#target = target
  }

  /** The error of the last read, until the next one succeeds. */
  get error(): Error | undefined {
    return 'error' in this.#state ? this.#state.error : undefined
  }

  /** The node exists, according to its parent: it is read unless it is followed already. */
  follow(): void {
    if (this.#state.kind === 'absent') this.#enter({ kind: 'due', error: undefined })
  }

  /** Reads again, also when a read is in flight. An absent node is left to its parent's list of children. */
  refresh(): void {
    const { kind } = this.#state
    if (kind !== 'watching' && kind !== 'scheduled' && kind !== 'reading') return
    this.#failures = 0
    this.#readSoon()
  }

  /** Reads again at once if the last read failed: the client is connected to another server. */
  retryNow(): void {
    if (this.#state.kind !== 'scheduled' || this.error === undefined) return
    this.#failures = 0
    this.#enter({ kind: 'due', error: this.error })
  }

  drop(): void {
    this.#enter({ kind: 'dropped' })
  }

  async read(signal: AbortSignal): Promise<void> {
    const reading: WatcherState = { kind: 'reading', error: this.error }
    this.#enter(reading)
    let hasChanged = false
    const onEvent = (event: WatchEvent): void => {
      hasChanged = true
      if (this.#state.kind === 'watching') this.#onEvent(event)
    }
    const answer = await this.#target.read(onEvent, signal).catch(asError)
    // The answer is obsolete when the watcher was dropped or another read was started meanwhile.
    if (this.#state !== reading) {
      if (!(answer instanceof Error)) answer.unwatch()
    } else if (answer instanceof Error) {
      this.#fail(answer)
    } else {
      this.#take(answer)
      // It is not known whether the event came before or after the read.
      if (hasChanged) this.refresh()
    }
  }

  // Folding may create further watchers. Until that is done, this one counts as unread.
  #take({ value, unwatch }: Watched<V | undefined>): void {
    this.#failures = 0
    this.#target.fold(value)
    if (value !== undefined || this.#target.isRoot) {
      this.#enter({ kind: 'watching', unwatch })
      return
    }
    unwatch()
    this.#enter({ kind: 'absent' })
  }

  #onEvent(event: WatchEvent): void {
    if (reactionTo(event, this.#target.isRoot) === 'gone') {
      this.#target.fold(undefined)
      this.#enter({ kind: 'absent' })
      return
    }
    this.#readSoon()
  }

  #readSoon(): void {
    const { jitterMs, random } = this.#deps
    if (jitterMs === 0) this.#enter({ kind: 'due', error: this.error })
    else this.#schedule(random() * jitterMs, undefined)
  }

  #fail(error: Error): void {
    const backoff = isPermanent(error) ? refusalDelay : transientBackoff
    this.#schedule(backoff(this.#failures, this.#deps.random), error)
    this.#failures += 1
  }

  #schedule(delayMs: number, error: Error | undefined): void {
    const cancel = this.#deps.clock.after(delayMs, () => this.#enter({ kind: 'due', error }))
    this.#enter({ kind: 'scheduled', cancel, error })
  }

  #enter(state: WatcherState): void {
    const before = this.#state
    if (before.kind === 'dropped') {
      this.#leave(state)
      return
    }
    this.#state = state
    this.#leave(before)
    const { isLeaf } = this.#target
    this.#deps.counts.move(countsOf(before, isLeaf), countsOf(state, isLeaf))
    // This comes last, because the read may start in the same turn.
    if (this.#state.kind === 'due') this.#deps.reads.add(this)
  }

  #leave(state: WatcherState): void {
    if (state.kind === 'watching') state.unwatch()
    if (state.kind === 'scheduled') state.cancel()
    if (state.kind === 'due') this.#deps.reads.remove(this)
  }
}

function countsOf(state: WatcherState, isLeaf: boolean): ReadCount {
  switch (state.kind) {
    case 'due':
    case 'reading':
      return { unread: 1, failing: 0 }
    case 'scheduled':
      return countsOfError(state.error, isLeaf)
    case 'watching':
    case 'absent':
    case 'dropped':
      return { unread: 0, failing: 0 }
  }
}

// A permanent error of a single leaf does not keep the cache from being ready or current.
function countsOfError(error: Error | undefined, isLeaf: boolean): ReadCount {
  if (error === undefined) return { unread: 1, failing: 0 }
  return isLeaf && isPermanent(error) ? { unread: 0, failing: 0 } : { unread: 1, failing: 1 }
}

/** What an event requires: another read, or dropping the node. Whether a node other than the root exists is decided by its parent's list. */
export function reactionTo(event: WatchEvent, isRoot: boolean): 'read' | 'gone' {
  return event.kind === 'deleted' && !isRoot ? 'gone' : 'read'
}

/** A read that is repeated. */
interface QueuedRead {
  /** Rejects only because of a defect of this package. */
  read(signal: AbortSignal): Promise<void>
}

interface ReadQueueOptions {
  readonly maxReads: number
  /** Fires when the cache is closed. */
  readonly signal: AbortSignal
  readonly reportDefect: (thrown: unknown) => void
}

/** The queue of due reads, first in, first out: at most `maxReads` at once, and only while the client is connected. */
export class ReadQueue {
  readonly #options: ReadQueueOptions
  readonly #due = new Set<QueuedRead>()
  #inFlight = 0
  #open = false

  constructor(options: ReadQueueOptions) {
    this.#options = options
  }

  add(read: QueuedRead): void {
    this.#due.add(read)
    this.#start()
  }

  remove(read: QueuedRead): void {
    this.#due.delete(read)
  }

  /** Whether the client is connected. */
  set open(open: boolean) {
    this.#open = open
    this.#start()
  }

  #start(): void {
    const { maxReads, signal, reportDefect } = this.#options
    for (const due of this.#due) {
      if (!this.#open || signal.aborted || this.#inFlight >= maxReads) return
      this.#due.delete(due)
      this.#inFlight += 1
      due
        .read(signal)
        .catch(reportDefect)
        .finally(() => {
          this.#inFlight -= 1
          this.#start()
        })
    }
  }
}

/** The number of watchers without a current answer, and of those whose last read failed. */
export class ReadCounts {
  #unread = 0
  #failing = 0
  readonly #onChange: () => void

  /** `onChange` is called after each change. */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  get unread(): number {
    return this.#unread
  }

  get failing(): number {
    return this.#failing
  }

  /** Replaces the share of one watcher. */
  move(from: ReadCount, to: ReadCount): void {
    this.#unread += to.unread - from.unread
    this.#failing += to.failing - from.failing
    this.#onChange()
  }
}

/** The share of one watcher in the counts. */
interface ReadCount {
  readonly unread: 0 | 1
  readonly failing: 0 | 1
}
