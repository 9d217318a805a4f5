import { asError, HaError } from '../errors/ha-error.ts'
import { ActiveTime } from '../runtime/attention.ts'
import { type Clock, timerGrainMs } from '../runtime/clock.ts'
import type { Notifier } from '../runtime/pulse.ts'
import { type LinkedController, linkedController } from '../runtime/scope.ts'

/** How a question to a server stands. */
export type Answer<R> =
  | { readonly kind: 'pending' }
  | { readonly kind: 'answered'; readonly value: R }
  | { readonly kind: 'failed'; readonly error: Error }

/** A question whose answer is looked at, not waited for. Ending it gives it up. */
export class Question<R> {
  readonly #scope: LinkedController
  #answer: Answer<R> = { kind: 'pending' }

  constructor(ask: (signal: AbortSignal) => Promise<R>, news: Notifier, parent: AbortSignal) {
    this.#scope = linkedController(parent)
    const note = (answer: Answer<R>): void => {
      this.#answer = answer
      news.notifyAll()
    }
    ask(this.#scope.signal).then(
      (value) => note({ kind: 'answered', value }),
      (thrown: unknown) => note({ kind: 'failed', error: asError(thrown) }),
    )
  }

  get answer(): Answer<R> {
    return this.#answer
  }

  end(): void {
    if (this.#answer.kind === 'pending')
      this.#scope.abort(new HaError('aborted', 'the question is no longer asked'))
    else this.#scope.unlink()
  }
}

// Ten looks in the time of an answer, and none while the answer is there: only doubt costs timers.
const looksPerAnswer = 10

/**
 * Waits until `settled`, or until the server has had `timeoutMs` of our attention to answer: a pause of our own event
 * loop is not held against it. `onHalf` is called half-way.
 */
export async function settledWithin(
  clock: Clock,
  wait: {
    readonly settled: () => boolean
    readonly news: Notifier
    readonly timeoutMs: number
    readonly onHalf: () => void
  },
  signal: AbortSignal,
): Promise<boolean> {
  const { settled, news, timeoutMs, onHalf } = wait
  const lookMs = timeoutMs / looksPerAnswer
  // Timers are late by a little, always: only what is late by a whole look was a pause.
  const attention = new ActiveTime(clock, 2 * lookMs)
  let waitedMs = 0
  let hedged = false
  while (!settled() && timeoutMs - waitedMs >= timerGrainMs) {
    const cancel = clock.after(Math.min(lookMs, timeoutMs - waitedMs), () => news.notifyAll())
    try {
      await news.wait(signal)
    } finally {
      cancel()
    }
    waitedMs += attention.tick()
    if (!hedged && waitedMs >= timeoutMs / 2) {
      hedged = true
      onHalf()
    }
  }
  return settled()
}
