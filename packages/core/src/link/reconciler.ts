import type { Declaration, DesiredState } from '../desired-state.ts'
import type { Driver } from '../driver.ts'
import { asError, detachStack, HaError, isHaError } from '../errors/ha-error.ts'
import type { Lease } from '../lease.ts'
import type { Backoff } from '../policy/backoff.ts'
import { linkedController, withDeadline } from '../util/abort.ts'
import type { Clock } from '../util/clock.ts'

export interface ReconcilerDeps<C> {
  readonly driver: Driver<C>
  readonly clock: Clock
  readonly desiredState: DesiredState<C>
  readonly lease: Lease<C>
  readonly backoff: Backoff
  readonly random: () => number
  /** Called when a declaration cannot be put back because the connection has failed. */
  readonly onLost: (error: Error) => void
  /** Called once when the server refuses a declaration for good, which is asked again on the next connection only. */
  readonly onRefused: (key: string, error: HaError) => void
  /** Called with what can only be a defect of ours. */
  readonly onDefect: (thrown: unknown) => void
}

// A thousand declarations must not be a burst of a thousand requests: a broker allows some 2 000 channels in all.
const maxConcurrent = 64

/**
 * Puts the ledger on one connection and keeps it there until the signal fires: whatever is due is applied, side by
 * side, each under its own deadline. What hangs holds up only those that need it; what fails for now is tried again,
 * and what is refused for good is left alone on this connection.
 */
export async function reconcile<C>(deps: ReconcilerDeps<C>, signal: AbortSignal): Promise<void> {
  const { desiredState, clock } = deps
  for (;;) {
    // Whoever woke this loop may have ended the lease in the same turn: the ledger belongs to the next one then.
    signal.throwIfAborted()
    for (const declaration of desiredState.due(clock.now()).slice(0, maxConcurrent - desiredState.applying)) {
      const scope = linkedController(signal)
      desiredState.record(declaration, { kind: 'applying', abandon: scope.abort })
      applyDeclaration(deps, declaration, scope.signal).catch(deps.onDefect).finally(scope.unlink)
    }
    await changedOrRetryDue(deps, signal)
  }
}

async function changedOrRetryDue<C>(
  { desiredState, clock }: ReconcilerDeps<C>,
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

// How it went is noted in the ledger, unless the try was abandoned.
async function applyDeclaration<C>(
  deps: ReconcilerDeps<C>,
  declaration: Declaration<C>,
  signal: AbortSignal,
): Promise<void> {
  const { desiredState, clock, lease } = deps
  const timeoutMs = tryMs(declaration, desiredState.failures(declaration.key))
  const expired = (): HaError =>
    new HaError('timed-out', `${declaration.key}: no answer within ${timeoutMs} ms`, {
      outcome: 'unknown',
      retryable: true,
    })
  const limit = { timeoutMs, signal, expired }
  try {
    await withDeadline(clock, limit, (inner) => declaration.apply(lease.connection, inner))
    if (!signal.aborted) desiredState.record(declaration, { kind: 'held', sinceMs: clock.now() })
  } catch (thrown) {
    if (!signal.aborted) recordFailure(deps, declaration, detachStack(asError(thrown)))
  }
}

// What was asked while a cluster was busy with itself often hangs long after a new request would pass: so the first
// tries are short. What is merely slow gets the whole time in the end.
function tryMs({ timeoutMs }: Declaration<never>, failures: number): number {
  return Math.round(timeoutMs * Math.min(1, 0.3 * 1.5 ** failures))
}

function recordFailure<C>(deps: ReconcilerDeps<C>, declaration: Declaration<C>, cause: Error): void {
  const { desiredState, clock, driver } = deps
  const timedOut = isHaError(cause) && cause.code === 'timed-out'
  const verdict = driver.classify(cause)
  if (!timedOut && verdict.scope !== 'call') {
    deps.onLost(cause)
    return
  }
  if (timedOut || verdict.transient) {
    const delayMs = deps.backoff(desiredState.failures(declaration.key), deps.random)
    desiredState.record(declaration, { kind: 'retrying', atMs: clock.now() + delayMs, error: cause })
    return
  }
  const error = detachStack(new HaError('rejected', `${declaration.key}: ${cause.message}`, { cause }))
  if (desiredState.record(declaration, { kind: 'refused', error })) deps.onRefused(declaration.key, error)
}
