import type { ConnectionSignal } from '../driver.ts'
import { asError, HaError } from '../errors/ha-error.ts'
import { fullJitter } from '../policy/backoff.ts'
import { raceAbort } from '../runtime/scope.ts'
import type { DesiredState } from '../session/ledger.ts'
import type { Lease } from '../source.ts'
import type { Ending } from './ending.ts'
import { findBetter } from './fail-back.ts'
import { keepLedger } from './keeper.ts'
import type { LinkState } from './link-state.ts'
import type { LinkOptions } from './options.ts'
import { watchSilence } from './watchdog.ts'

export interface Serving<C> {
  readonly options: LinkOptions<C>
  readonly ledger: DesiredState<C>
  readonly lease: Lease<C>
  readonly enter: (state: LinkState<C>) => void
  readonly onRefused: (key: string, error: HaError) => void
  /** Ends the lease: at once, the first call counts. */
  readonly end: (ending: Ending<C>) => void
}

/**
 * Starts the life of one lease: everything declared is put on the connection and kept there, the connection is
 * watched, and the state follows. All of it ends when the lease's own signal fires. A defect in any of it ends the
 * lease as `internal`: the next one begins all of it anew.
 */
export function serve<C>(serving: Serving<C>): void {
  const { options, ledger, lease } = serving
  const state = new ServingState(serving)
  ledger.renew(options.clock.now())
  const unwatch = options.driver.watch(lease.connection, (news) => state.hear(news))
  // A connection can be over before it is watched.
  if (lease.signal.aborted) {
    unwatch()
    return
  }
  lease.signal.addEventListener('abort', unwatch, { once: true })
  state.follow().catch(defectIn('state', serving))
  keep(serving).catch(defectIn('ledger', serving))
  watch(serving, state).catch(defectIn('watchdog', serving))
  moveToBetter(serving).catch(defectIn('fail-back', serving))
}

// Each loop ends by rejection when the lease's signal fires, which ends nothing any more; before that, it is a defect.
function defectIn<C>(part: string, { options, end }: Serving<C>): (thrown: unknown) => void {
  return (thrown) => {
    const cause = asError(thrown)
    const message = `the ${part} of the ${options.name} link failed: ${cause.message}`
    end({ kind: 'lost', error: new HaError('internal', message, { cause, retryable: true }), detectMs: 0 })
  }
}

function keep<C>(serving: Serving<C>): Promise<void> {
  const { ledger, lease, end, onRefused, options } = serving
  const { driver, clock, random } = options
  const backoff = fullJitter(options.restoreBackoff)
  const onLost = (error: Error): void => end({ kind: 'lost', error, detectMs: 0 })
  const onDefect = defectIn('ledger', serving)
  const keeping = { driver, clock, ledger, lease, random, backoff, onLost, onRefused, onDefect }
  return keepLedger(keeping, lease.signal)
}

async function watch<C>({ options, lease, end }: Serving<C>, state: ServingState<C>): Promise<void> {
  const { driver, clock, liveness } = options
  const suspended = (): boolean => state.suspended
  const { error, quietMs } = await watchSilence({ driver, clock, liveness, lease, suspended }, lease.signal)
  end({ kind: 'lost', error, detectMs: quietMs })
}

async function moveToBetter<C>({ options, lease, end }: Serving<C>): Promise<void> {
  if (options.strategy !== 'sequential' || options.failBackAfterMs === Number.POSITIVE_INFINITY) return
  const next = await findBetter(options, lease, lease.signal)
  try {
    await raceAbort(options.beforeMove(lease), lease.signal, () => undefined)
    lease.signal.throwIfAborted()
  } catch (error) {
    // Whoever ended the lease meanwhile has gone another way: nobody takes this connection.
    options.driver.destroy(next.connection)
    throw error
  }
  end({ kind: 'moved', next })
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

  hear(news: ConnectionSignal): void {
    switch (news.kind) {
      case 'lost':
        this.#serving.end({ kind: 'lost', error: news.error, detectMs: 0 })
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
