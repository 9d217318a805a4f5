import { formatEndpoint } from '../address/endpoint.ts'
import type { Signal } from '../driver.ts'
import { HaError } from '../model/error.ts'
import { fullJitter } from '../policy/backoff.ts'
import type { Ledger } from '../session/ledger.ts'
import type { Lease } from '../source.ts'
import type { Dialed } from './dial.ts'
import { findBetter } from './fail-back.ts'
import { keepLedger } from './keeper.ts'
import type { LinkState } from './link-state.ts'
import type { LinkOptions } from './options.ts'
import { watchSilence } from './watchdog.ts'

/** How a lease ended. */
export interface Ending<C> {
  readonly error: Error
  /** How long the server had been quiet before it was given up; 0 when the end was announced. */
  readonly detectMs: number
  /** The connection to go on with, when the move was planned. */
  readonly next?: Dialed<C>
}

export interface Serving<C> {
  readonly options: LinkOptions<C>
  readonly ledger: Ledger<C>
  readonly lease: Lease<C>
  readonly enter: (state: LinkState<C>) => void
  readonly onRefused: (key: string, error: HaError) => void
  /** Ends the lease: at once, the first call counts. */
  readonly end: (ending: Ending<C>) => void
}

/**
 * Starts the life of one lease: everything declared is put on the connection and kept there, the connection is
 * watched, and the state follows. All of it ends when the lease's own signal fires.
 */
export function serve<C>(serving: Serving<C>): void {
  const { options, ledger, lease } = serving
  const state = new ServingState(serving)
  ledger.renew()
  const unwatch = options.driver.watch(lease.connection, (news) => state.hear(news))
  // A connection can be over before it is watched.
  if (lease.signal.aborted) {
    unwatch()
    return
  }
  lease.signal.addEventListener('abort', unwatch, { once: true })
  background(state.follow())
  background(keep(serving))
  background(watch(serving, state))
  background(moveToBetter(serving))
}

// Each loop ends by rejection when the lease's signal fires; that is no failure.
function background(loop: Promise<unknown>): void {
  loop.catch(() => undefined)
}

function keep<C>(serving: Serving<C>): Promise<void> {
  const { ledger, lease, end, onRefused, options } = serving
  const { driver, clock, random } = options
  const backoff = fullJitter(options.restoreBackoff)
  const onLost = (error: Error): void => end({ error, detectMs: 0 })
  return keepLedger({ driver, clock, ledger, lease, random, backoff, onLost, onRefused }, lease.signal)
}

async function watch<C>({ options, lease, end }: Serving<C>, state: ServingState<C>): Promise<void> {
  const { driver, clock, liveness } = options
  const suspended = (): boolean => state.suspended
  const { error, quietMs } = await watchSilence({ driver, clock, liveness, lease, suspended }, lease.signal)
  end({ error, detectMs: quietMs })
}

async function moveToBetter<C>({ options, lease, end }: Serving<C>): Promise<void> {
  if (options.strategy !== 'ordered' || options.failBackAfterMs === Number.POSITIVE_INFINITY) return
  const next = await findBetter(options, lease, lease.signal)
  await options.beforeMove(lease)
  // Whoever ended the lease meanwhile has gone another way: then nobody takes this connection.
  if (lease.signal.aborted) options.driver.destroy(next.connection)
  else end({ error: movedBack(next), detectMs: 0, next })
}

function movedBack(next: Dialed<unknown>): HaError {
  return new HaError('lost', `moved back to ${formatEndpoint(next.endpoint)}`, { retryable: true })
}

/** Derives the link's state from the ledger and from what the server says; the only one who enters it while serving. */
class ServingState<C> {
  readonly #serving: Serving<C>
  #reason: string | undefined
  #last: LinkState<C>['kind'] | undefined

  constructor(serving: Serving<C>) {
    this.#serving = serving
  }

  get suspended(): boolean {
    return this.#reason !== undefined
  }

  hear(news: Signal): void {
    switch (news.kind) {
      case 'lost':
        this.#serving.end({ error: news.error, detectMs: 0 })
        return
      case 'suspended':
        this.#reason = news.reason
        break
      case 'resumed':
        this.#reason = undefined
        break
    }
    this.#derive()
  }

  async follow(): Promise<void> {
    const { ledger, lease } = this.#serving
    while (!lease.signal.aborted) {
      this.#derive()
      await ledger.changed.wait(lease.signal)
    }
  }

  #derive(): void {
    const next = this.#next()
    if (this.#serving.lease.signal.aborted || next.kind === this.#last) return
    this.#last = next.kind
    this.#serving.enter(next)
  }

  #next(): LinkState<C> {
    const { ledger, lease } = this.#serving
    if (this.#reason !== undefined) return { kind: 'suspended', lease, reason: this.#reason }
    return ledger.open ? { kind: 'ready', lease } : { kind: 'restoring', lease }
  }
}
