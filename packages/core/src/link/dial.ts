import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import { openWithin } from '../connection.ts'
import type { Driver } from '../driver.ts'
import { asError, type FailedAttempt, HaError } from '../errors/ha-error.ts'
import type { EndpointRegistry } from '../model/roster.ts'
import type { Clock } from '../runtime/clock.ts'
import { Notifier } from '../runtime/pulse.ts'
import { linkedController } from '../runtime/scope.ts'

export interface DialOptions {
  /** How long one endpoint has for the whole handshake, in milliseconds. */
  readonly attemptMs: number
  /** After how long the next endpoint is dialled beside a slow one, in milliseconds. */
  readonly staggerMs: number
  /** How many handshakes may be under way at once. */
  readonly parallel: number
}

/** A connection that won the race. */
export interface Dialed<C> {
  readonly connection: C
  readonly endpoint: Endpoint
}

interface Race<C> {
  readonly driver: Driver<C>
  readonly clock: Clock
  readonly roster: EndpointRegistry
  readonly options: DialOptions
}

type Lane<C> =
  | { readonly kind: 'pending' }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'won'; readonly connection: C }

/**
 * Dials the endpoints of a plan until one completes its handshake: the next begins after `staggerMs`, or at once when
 * one fails. Losers are ended and what arrives late is destroyed. Rejects with `unreachable` or, when every endpoint
 * answered with a final no, with `refused`; both carry every attempt, and why no newer addresses were to be had.
 */
export async function dialRace<C>(
  race: Race<C>,
  plan: readonly Endpoint[],
  signal: AbortSignal,
): Promise<Dialed<C>> {
  const lanes = new Map<Endpoint, Lane<C>>()
  const news = new Notifier()
  const scope = linkedController(signal)
  try {
    for (const endpoint of plan) {
      start(race, endpoint, lanes, news, scope.signal)
      await settledOrSlow(race, lanes, news, scope.signal)
      if (winner(lanes) !== undefined) break
    }
    while (winner(lanes) === undefined && pending(lanes) > 0) await news.wait(scope.signal)
    const won = winner(lanes)
    if (won !== undefined) return won
    throw unreachable(race, lanes)
  } finally {
    scope.abort(new HaError('aborted', 'another endpoint was faster'))
  }
}

function start<C>(
  { driver, clock, roster, options }: Race<C>,
  endpoint: Endpoint,
  lanes: Map<Endpoint, Lane<C>>,
  news: Notifier,
  signal: AbortSignal,
): void {
  lanes.set(endpoint, { kind: 'pending' })
  const settle = (lane: Lane<C>): void => {
    lanes.set(endpoint, lane)
    news.notifyAll()
  }
  openWithin({ driver, clock }, endpoint, { timeoutMs: options.attemptMs, signal }).then(
    (connection) => {
      // Two can finish in the same turn: one wins, the other was faster than its own ending.
      if (signal.aborted || winner(lanes) !== undefined) {
        driver.destroy(connection)
        return
      }
      roster.observe({ kind: 'reached', endpoint, atMs: clock.now() })
      settle({ kind: 'won', connection })
    },
    (thrown: unknown) => {
      // A loser did nothing wrong.
      if (signal.aborted) return
      const error = asError(thrown)
      roster.observe({ kind: 'failed', endpoint, atMs: clock.now(), error })
      settle({ kind: 'failed', error })
    },
  )
}

// Returns when the next endpoint may begin: one settled, or the last one is slow and there is room for another.
async function settledOrSlow<C>(
  { clock, options }: Race<C>,
  lanes: ReadonlyMap<Endpoint, Lane<C>>,
  news: Notifier,
  signal: AbortSignal,
): Promise<void> {
  const failedBefore = failures(lanes).length
  const settled = (): boolean => winner(lanes) !== undefined || failures(lanes).length > failedBefore
  let slow = false
  const cancel = clock.after(options.staggerMs, () => {
    slow = true
    news.notifyAll()
  })
  try {
    while (!settled() && !(slow && pending(lanes) < options.parallel)) await news.wait(signal)
  } finally {
    cancel()
  }
}

function winner<C>(lanes: ReadonlyMap<Endpoint, Lane<C>>): Dialed<C> | undefined {
  for (const [endpoint, lane] of lanes) {
    if (lane.kind === 'won') return { endpoint, connection: lane.connection }
  }
  return undefined
}

function pending(lanes: ReadonlyMap<Endpoint, Lane<unknown>>): number {
  return [...lanes.values()].filter((lane) => lane.kind === 'pending').length
}

function failures(lanes: ReadonlyMap<Endpoint, Lane<unknown>>): readonly FailedAttempt[] {
  const failed: FailedAttempt[] = []
  for (const [endpoint, lane] of lanes) {
    if (lane.kind === 'failed') failed.push({ endpoint: formatEndpoint(endpoint), error: lane.error })
  }
  return failed
}

/** An address function that failed, among the endpoints that were tried. */
export function addressesTried(error: Error | undefined): readonly FailedAttempt[] {
  return error === undefined ? [] : [{ endpoint: 'addresses', error }]
}

function unreachable<C>({ driver, roster }: Race<C>, lanes: ReadonlyMap<Endpoint, Lane<C>>): HaError {
  const failed = failures(lanes)
  const final = failed.every(({ error }) => !driver.classify(error).transient)
  const attempts = [...failed, ...addressesTried(roster.view.addressesError)]
  const said = attempts.map(({ endpoint, error }) => `${endpoint}: ${error.message}`).join('; ')
  const cause = failed.at(-1)?.error
  if (failed.length === 0)
    return new HaError('unreachable', `${driver.protocol}: there is no endpoint to dial`)
  return final
    ? new HaError('refused', `every ${driver.protocol} endpoint refused: ${said}`, { attempts, cause })
    : new HaError('unreachable', `no ${driver.protocol} endpoint could be reached: ${said}`, {
        attempts,
        cause,
        retryable: true,
      })
}
