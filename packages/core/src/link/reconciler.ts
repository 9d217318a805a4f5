import type { Declaration, DesiredState } from '../desired-state.ts'
import { asError, detachStack, HaError, isHaError } from '../errors/ha-error.ts'
import type { Lease } from '../lease.ts'
import { fullJitter, refusalBackoff } from '../policy/backoff.ts'
import { linkedController, raceAbort, withDeadline } from '../util/abort.ts'
import type { LinkOptions } from './link-options.ts'

interface ReconcilerDeps<C> {
  readonly options: LinkOptions<C>
  readonly desiredState: DesiredState<C>
  readonly lease: Lease<C>
  /** Called when a declaration failed because the connection has failed. */
  readonly onLost: (error: Error) => void
  /** Called once when the server refuses a declaration; it is tried again with growing delay. */
  readonly onRefused: (key: string, error: HaError) => void
  /** Called with an error that only a defect of this library explains. */
  readonly onDefect: (thrown: unknown) => void
}

// A thousand declarations must not become a burst of requests: RabbitMQ allows 2 047 channels per connection.
const maxConcurrent = 64

/**
 * Applies the desired state to one connection and keeps it applied until the signal fires: all due declarations
 * concurrently, each under its own deadline. A declaration that hangs delays only those that need it. A transient
 * failure is retried; a declaration that the server refuses is retried with growing delay. A declaration that may have
 * ended a connection is tried on a connection of its own first.
 */
export async function reconcile<C>(deps: ReconcilerDeps<C>, signal: AbortSignal): Promise<void> {
  const { desiredState, options } = deps
  for (;;) {
    // The change that woke this loop may have ended the lease in the same turn.
    signal.throwIfAborted()
    for (const declaration of desiredState
      .due(options.clock.now())
      .slice(0, maxConcurrent - desiredState.applying)) {
      const scope = linkedController(signal)
      desiredState.record(declaration, { kind: 'applying', abandon: scope.abort })
      applyDeclaration(deps, declaration, scope.signal).catch(deps.onDefect).finally(scope.unlink)
    }
    await changedOrRetryDue(deps, signal)
  }
}

async function changedOrRetryDue<C>(
  { desiredState, options: { clock } }: ReconcilerDeps<C>,
  signal: AbortSignal,
): Promise<void> {
  const retryAtMs = desiredState.nextRetryAtMs()
  if (retryAtMs === undefined) return desiredState.changed.wait(signal)
  const cancel = clock.after(retryAtMs - clock.now(), () => desiredState.changed.notifyAll())
  try {
    await desiredState.changed.wait(signal)
  } finally {
    cancel()
  }
}

// Records the result, unless the attempt was abandoned.
async function applyDeclaration<C>(
  deps: ReconcilerDeps<C>,
  declaration: Declaration<C>,
  signal: AbortSignal,
): Promise<void> {
  const { desiredState, options, lease } = deps
  const { clock } = options
  const timeoutMs = attemptTimeoutMs(declaration, desiredState.failures(declaration.key))
  const expired = (): HaError =>
    new HaError('timed-out', `${declaration.key}: no answer within ${timeoutMs} ms`, {
      outcome: 'unknown',
      retryable: true,
    })
  const limit = { timeoutMs, signal, expired }
  try {
    if (desiredState.isSuspect(declaration.key)) {
      const trial = await withDeadline(clock, limit, (inner) => tryApart(deps, declaration, inner))
      if (trial.kind !== 'passed') {
        if (!signal.aborted) recordTrial(deps, declaration, trial)
        return
      }
      desiredState.clear(declaration)
    }
    await withDeadline(clock, limit, (inner) => declaration.apply(lease.connection, inner))
    if (signal.aborted) return
    desiredState.clear(declaration)
    desiredState.record(declaration, { kind: 'held', sinceMs: clock.now() })
  } catch (thrown) {
    if (!signal.aborted) recordFailure(deps, declaration, detachStack(asError(thrown)))
  }
}

type Trial =
  | { readonly kind: 'passed' }
  /** The server ended the connection of the trial. */
  | { readonly kind: 'ended'; readonly error: Error }
  /** There was no connection for a trial, such as at a limit of connections. It says nothing about the lease. */
  | { readonly kind: 'not-tried'; readonly error: Error }

// Applies a declaration on a connection of its own, whose end affects nothing else.
async function tryApart<C>(
  { options: { driver }, lease }: ReconcilerDeps<C>,
  declaration: Declaration<C>,
  signal: AbortSignal,
): Promise<Trial> {
  let connection: C
  try {
    connection = await driver.open(lease.endpoint, signal)
  } catch (thrown) {
    signal.throwIfAborted()
    return { kind: 'not-tried', error: detachStack(asError(thrown)) }
  }
  const scope = linkedController(signal)
  let end: Error | undefined
  const unwatch = driver.watch(connection, (report) => {
    if (report.kind !== 'lost') return
    end = report.error
    scope.abort(report.error)
  })
  try {
    const trial = (declaration.tryApart ?? declaration.apply).call(declaration, connection, scope.signal)
    await raceAbort(trial, scope.signal, () => undefined)
  } catch {
    // What is refused here without the end of the connection may hold on the connection of the lease.
    signal.throwIfAborted()
  } finally {
    scope.unlink()
    unwatch()
    driver.destroy(connection)
  }
  return end === undefined ? { kind: 'passed' } : { kind: 'ended', error: end }
}

// A request sent during an election often hangs long after a new one would pass: so the first attempts are short. A
// slow server gets the whole time in the end.
function attemptTimeoutMs({ timeoutMs }: Declaration<never>, failures: number): number {
  return Math.round(timeoutMs * Math.min(1, 0.3 * 1.5 ** failures))
}

function recordFailure<C>(deps: ReconcilerDeps<C>, declaration: Declaration<C>, cause: Error): void {
  const { driver } = deps.options
  const timedOut = isHaError(cause) && cause.code === 'timed-out'
  const verdict = driver.classify(cause)
  if (!timedOut && verdict.scope !== 'call') {
    deps.onLost(cause)
    return
  }
  if (timedOut || verdict.transient) recordRetry(deps, declaration, cause)
  else recordRefusal(deps, declaration, `${declaration.key}: ${cause.message}`, cause)
}

const refusalDelay = refusalBackoff(1_000)

// How often a request that may pass later ends a connection until it is reported as refused.
const endsBeforeReport = 3

function recordTrial<C>(
  deps: RecordDeps<C>,
  declaration: Declaration<C>,
  { kind, error }: Exclude<Trial, { kind: 'passed' }>,
): void {
  if (kind === 'ended') recordEnd(deps, declaration, error)
  else recordRetry(deps, declaration, error)
}

/** The server ended a connection on which nothing else than this declaration was under way. */
function recordEnd<C>(deps: RecordDeps<C>, declaration: Declaration<C>, cause: Error): void {
  const atFault = deps.options.driver.requestAtFault?.(cause)
  const mayPass = atFault === 'later' && deps.desiredState.failures(declaration.key) < endsBeforeReport
  if (atFault === undefined || mayPass) recordRetry(deps, declaration, cause)
  else {
    const message = `${declaration.key}: the server ends the connection over it: ${cause.message}`
    recordRefusal(deps, declaration, message, cause)
  }
}

type RecordDeps<C> = Pick<ReconcilerDeps<C>, 'desiredState' | 'options' | 'onRefused'>

function recordRetry<C>(
  { desiredState, options }: RecordDeps<C>,
  declaration: Declaration<C>,
  error: Error,
): void {
  const { clock, restoreBackoff, random } = options
  const delayMs = fullJitter(restoreBackoff)(desiredState.failures(declaration.key), random)
  desiredState.record(declaration, { kind: 'retrying', atMs: clock.now() + delayMs, error })
}

function recordRefusal<C>(
  { desiredState, options: { clock, random }, onRefused }: RecordDeps<C>,
  declaration: Declaration<C>,
  message: string,
  cause: Error,
): void {
  const error = detachStack(new HaError('rejected', message, { cause }))
  const atMs = clock.now() + refusalDelay(desiredState.failures(declaration.key), random)
  if (desiredState.record(declaration, { kind: 'refused', atMs, error })) onRefused(declaration.key, error)
}
