import { type Backoff, type Clock, fullJitter } from '@ha/core'
import { asError } from '@ha/core/driver'
import { isPermanent } from '../context.ts'
import type { WatchEvent } from '../node.ts'
import type { Watched } from '../operations/operations.ts'

/** What all facets of a cache share. */
export interface WatcherDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly reads: ReadQueue
  readonly counts: ReadCounts
  readonly jitterMs: number
}

/** What is read, and what is done with it. */
interface WatchTarget<V> {
  /** The root of a cache is also watched for while it does not exist. */
  readonly isRoot: boolean
  /** Whether nothing but its own node is missing while it cannot be read. */
  readonly isLeaf: boolean
  read(onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<Watched<V | undefined>>
  /** Takes in what was read; undefined when it is gone. */
  fold(value: V | undefined): void
}

// `error` is what the last read failed with.
type WatcherState =
  | { readonly kind: 'due'; readonly error: Error | undefined }
  | { readonly kind: 'reading'; readonly error: Error | undefined }
  | { readonly kind: 'watching'; readonly unwatch: () => void }
  /** To be read when the time has come: after `error`, or after a change that nobody needs to read at once. */
  | { readonly kind: 'later'; readonly cancel: () => void; readonly error: Error | undefined }
  /** Gone, and not watched: its parent's list says when it is back. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'dropped' }

// What may pass is read again within a second: a cache is to be right soon after the trouble is over. What will not
// pass, such as a missing permission, is asked again only because somebody may correct it.
const soon: Backoff = fullJitter({ baseMs: 100, maxMs: 1_000 })
const seldom: Backoff = fullJitter({ baseMs: 100, maxMs: 5_000 })

/**
 * One thing that is followed at one node: read, watched, and read again when it has changed. However often that is,
 * there is one watch at the most.
 */
export class NodeWatcher<V> implements QueuedRead {
  readonly #deps: WatcherDeps
  readonly #target: WatchTarget<V>
  #state: WatcherState = { kind: 'absent' }
  #failures = 0

  constructor(ground: WatcherDeps, subject: WatchTarget<V>) {
    this.#deps = ground
    this.#target = subject
  }

  /** What the last read failed with, until the next one has an answer. */
  get error(): Error | undefined {
    return 'error' in this.#state ? this.#state.error : undefined
  }

  /** It is there, as far as others know: read unless it is followed already. */
  follow(): void {
    if (this.#state.kind === 'absent') this.#enter({ kind: 'due', error: undefined })
  }

  /** Reads it again whatever is known, or is about to be answered; what is gone is left to its parent's list. */
  refresh(): void {
    const { kind } = this.#state
    if (kind !== 'watching' && kind !== 'later' && kind !== 'reading') return
    this.#failures = 0
    this.#readSoon()
  }

  /** Reads it again now when the last read has failed: what comes now is another server. */
  retryNow(): void {
    if (this.#state.kind !== 'later' || this.error === undefined) return
    this.#failures = 0
    this.#enter({ kind: 'due', error: this.error })
  }

  drop(): void {
    this.#enter({ kind: 'dropped' })
  }

  async read(signal: AbortSignal): Promise<void> {
    const reading: WatcherState = { kind: 'reading', error: this.error }
    this.#enter(reading)
    let isTold = false
    const onEvent = (event: WatchEvent): void => {
      isTold = true
      if (this.#state.kind === 'watching') this.#onEvent(event)
    }
    const answer = await this.#target.read(onEvent, signal).catch(asError)
    // Nobody waits for this one any more: it was dropped, or is read anew.
    if (this.#state !== reading) {
      if (!(answer instanceof Error)) answer.unwatch()
    } else if (answer instanceof Error) {
      this.#fail(answer)
    } else {
      this.#take(answer)
      // Whether that was before or after what has been read, nobody can say.
      if (isTold) this.refresh()
    }
  }

  // What is folded in may bring other facets: until it is, this one counts as unread.
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
    else this.#wait(random() * jitterMs, undefined)
  }

  #fail(error: Error): void {
    const retry = isPermanent(error) ? seldom : soon
    this.#wait(retry(this.#failures, this.#deps.random), error)
    this.#failures += 1
  }

  #wait(delayMs: number, error: Error | undefined): void {
    const cancel = this.#deps.clock.after(delayMs, () => this.#enter({ kind: 'due', error }))
    this.#enter({ kind: 'later', cancel, error })
  }

  #enter(standing: WatcherState): void {
    const before = this.#state
    if (before.kind === 'dropped') {
      this.#leave(standing)
      return
    }
    this.#state = standing
    this.#leave(before)
    const { isLeaf } = this.#target
    this.#deps.counts.move(countsOf(before, isLeaf), countsOf(standing, isLeaf))
    // Last, for the read may begin in this turn.
    if (this.#state.kind === 'due') this.#deps.reads.add(this)
  }

  #leave(standing: WatcherState): void {
    if (standing.kind === 'watching') standing.unwatch()
    if (standing.kind === 'later') standing.cancel()
    if (standing.kind === 'due') this.#deps.reads.remove(this)
  }
}

function countsOf(standing: WatcherState, isLeaf: boolean): ReadCount {
  switch (standing.kind) {
    case 'due':
    case 'reading':
      return { unread: 1, failing: 0 }
    case 'later':
      return countsOfError(standing.error, isLeaf)
    case 'watching':
    case 'absent':
    case 'dropped':
      return { unread: 0, failing: 0 }
  }
}

// What no further try will cure is not waited for where it is a problem of one node alone.
function countsOfError(error: Error | undefined, isLeaf: boolean): ReadCount {
  if (error === undefined) return { unread: 1, failing: 0 }
  return isLeaf && isPermanent(error) ? { unread: 0, failing: 0 } : { unread: 1, failing: 1 }
}

/** What follows from an event: read again, or take it as gone, which for all but the root its parent's list decides. */
export function reactionTo(event: WatchEvent, isRoot: boolean): 'read' | 'gone' {
  return event.kind === 'deleted' && !isRoot ? 'gone' : 'read'
}

/** Something that is read again and again. */
interface QueuedRead {
  /** Never rejects but by a defect of ours. */
  read(signal: AbortSignal): Promise<void>
}

interface ReadQueueOptions {
  readonly maxReads: number
  /** Fires when nothing is to be read any more. */
  readonly signal: AbortSignal
  readonly reportDefect: (thrown: unknown) => void
}

/** What is due to be read, first come, first served: so many at once, and only while operations run. */
export class ReadQueue {
  readonly #parts: ReadQueueOptions
  readonly #due = new Set<QueuedRead>()
  #underWay = 0
  #open = false

  constructor(parts: ReadQueueOptions) {
    this.#parts = parts
  }

  add(readable: QueuedRead): void {
    this.#due.add(readable)
    this.#begin()
  }

  remove(readable: QueuedRead): void {
    this.#due.delete(readable)
  }

  /** Whether operations run. */
  set open(open: boolean) {
    this.#open = open
    this.#begin()
  }

  #begin(): void {
    const { maxReads, signal, reportDefect } = this.#parts
    for (const readable of this.#due) {
      if (!this.#open || signal.aborted || this.#underWay >= maxReads) return
      this.#due.delete(readable)
      this.#underWay += 1
      readable
        .read(signal)
        .catch(reportDefect)
        .finally(() => {
          this.#underWay -= 1
          this.#begin()
        })
    }
  }
}

/** How many facets of a cache wait for an answer, and how many of these have failed. */
export class ReadCounts {
  #unread = 0
  #failing = 0
  readonly #onMoved: () => void

  /** `onMoved` is called after each change. */
  constructor(onMoved: () => void) {
    this.#onMoved = onMoved
  }

  get unread(): number {
    return this.#unread
  }

  get failing(): number {
    return this.#failing
  }

  /** One facet counts for something else from now on. */
  move(from: ReadCount, to: ReadCount): void {
    this.#unread += to.unread - from.unread
    this.#failing += to.failing - from.failing
    this.#onMoved()
  }
}

/** What one facet counts for. */
interface ReadCount {
  readonly unread: 0 | 1
  readonly failing: 0 | 1
}
