import { type Backoff, type Clock, fullJitter } from '@ha/core'
import { asError } from '@ha/core/driver'
import { isLasting } from '../lasting.ts'
import type { WatchEvent } from '../node.ts'
import type { Watched } from '../operations/operations.ts'
import { followsFrom } from './judge.ts'
import type { Readable, Reads } from './reads.ts'
import type { Tally, Weight } from './tally.ts'

/** What all facets of a cache share. */
export interface FacetGround {
  readonly clock: Clock
  readonly random: () => number
  readonly reads: Reads
  readonly tally: Tally
  readonly jitterMs: number
}

/** What is read, and what is done with it. */
export interface Subject<V> {
  /** The root of a cache is also watched for while it does not exist. */
  readonly isRoot: boolean
  /** Whether nothing but its own node is missing while it cannot be read. */
  readonly isLeaf: boolean
  read(onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<Watched<V | undefined>>
  /** Takes in what was read; undefined when it is gone. */
  fold(value: V | undefined): void
}

// `error` is what the last read failed with.
type Standing =
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
export class Facet<V> implements Readable {
  readonly #ground: FacetGround
  readonly #subject: Subject<V>
  #standing: Standing = { kind: 'absent' }
  #failures = 0

  constructor(ground: FacetGround, subject: Subject<V>) {
    this.#ground = ground
    this.#subject = subject
  }

  /** What the last read failed with, until the next one has an answer. */
  get error(): Error | undefined {
    return 'error' in this.#standing ? this.#standing.error : undefined
  }

  /** It is there, as far as others know: read unless it is followed already. */
  follow(): void {
    if (this.#standing.kind === 'absent') this.#enter({ kind: 'due', error: undefined })
  }

  /** Reads it again whatever is known, or is about to be answered; what is gone is left to its parent's list. */
  refresh(): void {
    const { kind } = this.#standing
    if (kind !== 'watching' && kind !== 'later' && kind !== 'reading') return
    this.#failures = 0
    this.#readSoon()
  }

  /** Reads it again now when the last read has failed: what comes now is another server. */
  retryNow(): void {
    if (this.#standing.kind !== 'later' || this.error === undefined) return
    this.#failures = 0
    this.#enter({ kind: 'due', error: this.error })
  }

  drop(): void {
    this.#enter({ kind: 'dropped' })
  }

  async read(signal: AbortSignal): Promise<void> {
    const reading: Standing = { kind: 'reading', error: this.error }
    this.#enter(reading)
    let isTold = false
    const onEvent = (event: WatchEvent): void => {
      isTold = true
      if (this.#standing.kind === 'watching') this.#onEvent(event)
    }
    const answer = await this.#subject.read(onEvent, signal).catch(asError)
    // Nobody waits for this one any more: it was dropped, or is read anew.
    if (this.#standing !== reading) {
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
    this.#subject.fold(value)
    if (value !== undefined || this.#subject.isRoot) {
      this.#enter({ kind: 'watching', unwatch })
      return
    }
    unwatch()
    this.#enter({ kind: 'absent' })
  }

  #onEvent(event: WatchEvent): void {
    if (followsFrom(event, this.#subject.isRoot) === 'gone') {
      this.#subject.fold(undefined)
      this.#enter({ kind: 'absent' })
      return
    }
    this.#readSoon()
  }

  #readSoon(): void {
    const { jitterMs, random } = this.#ground
    if (jitterMs === 0) this.#enter({ kind: 'due', error: this.error })
    else this.#wait(random() * jitterMs, undefined)
  }

  #fail(error: Error): void {
    const retry = isLasting(error) ? seldom : soon
    this.#wait(retry(this.#failures, this.#ground.random), error)
    this.#failures += 1
  }

  #wait(delayMs: number, error: Error | undefined): void {
    const cancel = this.#ground.clock.after(delayMs, () => this.#enter({ kind: 'due', error }))
    this.#enter({ kind: 'later', cancel, error })
  }

  #enter(standing: Standing): void {
    const before = this.#standing
    if (before.kind === 'dropped') {
      this.#leave(standing)
      return
    }
    this.#standing = standing
    this.#leave(before)
    const { isLeaf } = this.#subject
    this.#ground.tally.move(weightOf(before, isLeaf), weightOf(standing, isLeaf))
    // Last, for the read may begin in this turn.
    if (this.#standing.kind === 'due') this.#ground.reads.ask(this)
  }

  #leave(standing: Standing): void {
    if (standing.kind === 'watching') standing.unwatch()
    if (standing.kind === 'later') standing.cancel()
    if (standing.kind === 'due') this.#ground.reads.withdraw(this)
  }
}

function weightOf(standing: Standing, isLeaf: boolean): Weight {
  switch (standing.kind) {
    case 'due':
    case 'reading':
      return { unread: 1, failing: 0 }
    case 'later':
      return weightOfError(standing.error, isLeaf)
    case 'watching':
    case 'absent':
    case 'dropped':
      return { unread: 0, failing: 0 }
  }
}

// What no further try will cure is not waited for where it is a problem of one node alone.
function weightOfError(error: Error | undefined, isLeaf: boolean): Weight {
  if (error === undefined) return { unread: 1, failing: 0 }
  return isLeaf && isLasting(error) ? { unread: 0, failing: 0 } : { unread: 1, failing: 1 }
}
