import { type Endpoint, formatEndpoint, sameEndpoint } from '../address/endpoint.ts'
import type { EndpointRegistry } from '../cluster/endpoint-registry.ts'
import { type Driver, openWithin } from '../driver.ts'
import {
  asError,
  describeAttempts,
  detachStack,
  type FailedAttempt,
  HaError,
  isHaError,
} from '../errors/ha-error.ts'
import type { Lease } from '../lease.ts'
import { fullJitter } from '../policy/backoff.ts'
import { select } from '../policy/select.ts'
import { linkedController } from '../util/abort.ts'
import type { Clock } from '../util/clock.ts'
import { Notifier } from '../util/notifier.ts'
import type { LinkOptions } from './link-options.ts'
import type { LinkState } from './link-report.ts'

/** How many connections in a row ended soon after they were opened, and why the last one did. */
export interface Flaps {
  readonly count: number
  readonly error: Error | undefined
}

interface DialLoopDeps<C> {
  readonly options: LinkOptions<C>
  /** The number of connections so far: where `round-robin` begins. */
  readonly selections: number
  readonly flaps: Flaps
  readonly enter: (state: LinkState<C>) => void
}

/**
 * Dials in rounds until a connection is open: without delay inside a round, with back-off between rounds. Rejects with
 * the signal's reason, or with an error that is no {@link HaError} and therefore a defect.
 */
export async function dialUntilConnected<C>(deps: DialLoopDeps<C>, signal: AbortSignal): Promise<Dialed<C>> {
  const { options, enter } = deps
  const delayMs = fullJitter(options.backoff)
  const wait = async (round: number, ms: number, error: HaError): Promise<void> => {
    enter({ kind: 'waiting', round, delayMs: ms, error: detachStack(error) })
    await options.clock.sleep(ms, signal)
  }
  // The first dial after a loss needs no delay; an endpoint that accepts connections only to end them does.
  let round = Math.max(0, deps.flaps.count - 1)
  let lastError: HaError | undefined
  if (round > 0) {
    lastError = flappingError(deps.flaps)
    await wait(round, delayMs(round - 1, options.random), lastError)
  }
  for (;;) {
    enter({ kind: 'dialing', round, lastError })
    try {
      return await dialRound(deps, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!isHaError(error)) throw error
      lastError = error
      await wait(
        round,
        error.code === 'refused' ? refusedDelayMs(options) : delayMs(round, options.random),
        error,
      )
    }
    round += 1
  }
}

async function dialRound<C>(
  { options, selections }: DialLoopDeps<C>,
  signal: AbortSignal,
): Promise<Dialed<C>> {
  const { registry, clock, random, strategy, penaltyMs, dial } = options
  const refreshed = registry.refresh(dial.attemptMs, signal).catch(addressesUnavailable)
  // With a list at hand the round does not wait for a newer one: the next round uses it.
  if (registry.view.members.length === 0) await refreshed
  else refreshed.catch(() => undefined)
  const plan = select(registry.view, { strategy, selections, nowMs: clock.now(), penaltyMs, random })
  return dialRace({ driver: options.driver, clock, registry, options: dial }, plan, signal)
}

// A refusal is retried, since an operator may correct the cause, but rarely: brokers lock out clients that retry fast.
function refusedDelayMs<C>({ backoff, random }: LinkOptions<C>): number {
  return backoff.maxMs * (0.5 + random() / 2)
}

function flappingError({ count, error }: Flaps): HaError {
  const message = `${count} connections in a row ended soon after they were opened: ${error?.message}`
  return new HaError('lost', message, { cause: error, retryable: true })
}

function addressesUnavailable(thrown: unknown): never {
  const cause = asError(thrown)
  throw new HaError('unreachable', `the addresses could not be found: ${cause.message}`, {
    attempts: addressAttempts(cause),
    cause,
    retryable: true,
  })
}

/** How endpoints are dialled. */
export interface DialOptions {
  /** The deadline of one handshake, in milliseconds. */
  readonly attemptMs: number
  /** The delay after which the next endpoint is dialled beside a slow one, in milliseconds. */
  readonly staggerMs: number
  /** The maximum number of concurrent handshakes. */
  readonly parallel: number
}

/** A connection that won the race. */
export interface Dialed<C> {
  readonly connection: C
  readonly endpoint: Endpoint
}

interface DialDeps<C> {
  readonly driver: Driver<C>
  readonly clock: Clock
  readonly registry: EndpointRegistry
  readonly options: DialOptions
}

type DialAttempt<C> =
  | { readonly kind: 'pending' }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'won'; readonly connection: C }

/**
 * Dials the endpoints of a plan until one completes its handshake: the next begins after `staggerMs`, or at once when
 * one fails. Losers are aborted and late connections destroyed. Rejects with `unreachable` or, when every endpoint
 * refused for good, with `refused`; both carry every attempt, and why the addresses could not be refreshed.
 */
export async function dialRace<C>(
  deps: DialDeps<C>,
  plan: readonly Endpoint[],
  signal: AbortSignal,
): Promise<Dialed<C>> {
  const attempts = new Map<Endpoint, DialAttempt<C>>()
  const changed = new Notifier()
  const scope = linkedController(signal)
  try {
    for (const endpoint of plan) {
      startAttempt(deps, endpoint, attempts, changed, scope.signal)
      await settledOrSlow(deps, attempts, changed, scope.signal)
      if (winner(attempts) !== undefined) break
    }
    while (winner(attempts) === undefined && pendingCount(attempts) > 0) await changed.wait(scope.signal)
    const won = winner(attempts)
    if (won !== undefined) return won
    throw dialRaceError(deps, attempts)
  } finally {
    scope.abort(new HaError('aborted', 'another endpoint was faster'))
  }
}

function startAttempt<C>(
  { driver, clock, registry, options }: DialDeps<C>,
  endpoint: Endpoint,
  attempts: Map<Endpoint, DialAttempt<C>>,
  changed: Notifier,
  signal: AbortSignal,
): void {
  attempts.set(endpoint, { kind: 'pending' })
  const settle = (attempt: DialAttempt<C>): void => {
    attempts.set(endpoint, attempt)
    changed.notifyAll()
  }
  openWithin({ driver, clock }, endpoint, { timeoutMs: options.attemptMs, signal }).then(
    (connection) => {
      // Two handshakes can complete in the same turn: the second one lost the race.
      if (signal.aborted || winner(attempts) !== undefined) {
        driver.destroy(connection)
        return
      }
      registry.observe({ kind: 'reached', endpoint, atMs: clock.now() })
      settle({ kind: 'won', connection })
    },
    (thrown: unknown) => {
      // The abort of a loser is no failure of its endpoint.
      if (signal.aborted) return
      const error = asError(thrown)
      registry.observe({ kind: 'failed', endpoint, atMs: clock.now(), error })
      settle({ kind: 'failed', error })
    },
  )
}

// Returns when the next dial may begin: an attempt settled, or the last one is slow and there is room for another.
async function settledOrSlow<C>(
  { clock, options }: DialDeps<C>,
  attempts: ReadonlyMap<Endpoint, DialAttempt<C>>,
  changed: Notifier,
  signal: AbortSignal,
): Promise<void> {
  const failedBefore = failedAttempts(attempts).length
  const settled = (): boolean =>
    winner(attempts) !== undefined || failedAttempts(attempts).length > failedBefore
  let slow = false
  const cancel = clock.after(options.staggerMs, () => {
    slow = true
    changed.notifyAll()
  })
  try {
    while (!settled() && !(slow && pendingCount(attempts) < options.parallel)) await changed.wait(signal)
  } finally {
    cancel()
  }
}

function winner<C>(attempts: ReadonlyMap<Endpoint, DialAttempt<C>>): Dialed<C> | undefined {
  for (const [endpoint, attempt] of attempts) {
    if (attempt.kind === 'won') return { endpoint, connection: attempt.connection }
  }
  return undefined
}

function pendingCount(attempts: ReadonlyMap<Endpoint, DialAttempt<unknown>>): number {
  return [...attempts.values()].filter((attempt) => attempt.kind === 'pending').length
}

function failedAttempts(attempts: ReadonlyMap<Endpoint, DialAttempt<unknown>>): readonly FailedAttempt[] {
  const failed: FailedAttempt[] = []
  for (const [endpoint, attempt] of attempts) {
    if (attempt.kind === 'failed') failed.push({ endpoint: formatEndpoint(endpoint), error: attempt.error })
  }
  return failed
}

/** The failure of the address function, as one of the attempts. */
function addressAttempts(error: Error | undefined): readonly FailedAttempt[] {
  return error === undefined ? [] : [{ endpoint: 'addresses', error }]
}

function dialRaceError<C>(
  { driver, registry }: DialDeps<C>,
  dials: ReadonlyMap<Endpoint, DialAttempt<C>>,
): HaError {
  const failed = failedAttempts(dials)
  const final = failed.every(({ error }) => !driver.classify(error).transient)
  const attempts = [...failed, ...addressAttempts(registry.view.addressesError)]
  const details = describeAttempts(attempts)
  const cause = failed.at(-1)?.error
  if (failed.length === 0)
    return new HaError('unreachable', `${driver.protocol}: there is no endpoint to dial`)
  return final
    ? new HaError('refused', `every ${driver.protocol} endpoint refused: ${details}`, { attempts, cause })
    : new HaError('unreachable', `no ${driver.protocol} endpoint could be reached: ${details}`, {
        attempts,
        cause,
        retryable: true,
      })
}

/**
 * Dials the endpoints that are listed before the current one every `failBackAfterMs`, until one completes a handshake.
 * Resolves with that connection; never while the lease is on the first endpoint. Rejects with the signal's reason.
 */
export async function dialBetterEndpoint<C>(
  options: LinkOptions<C>,
  lease: Lease<C>,
  signal: AbortSignal,
): Promise<Dialed<C>> {
  const { clock, driver, registry, dial, failBackAfterMs } = options
  for (;;) {
    await clock.sleep(failBackAfterMs, signal)
    const endpoints = registry.view.members.map((member) => member.endpoint)
    const better = endpoints.slice(
      0,
      Math.max(
        0,
        endpoints.findIndex((endpoint) => sameEndpoint(endpoint, lease.endpoint)),
      ),
    )
    if (better.length === 0) continue
    try {
      return await dialRace({ driver, clock, registry, options: dial }, better, signal)
    } catch (error) {
      // The failure is in the view already, and the current connection is good. Anything but an HaError is a defect.
      if (signal.aborted || !isHaError(error)) throw error
    }
  }
}
