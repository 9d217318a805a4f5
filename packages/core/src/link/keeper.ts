import type { Driver } from '../driver.ts'
import { asError, detachStack, HaError, isHaError } from '../errors/ha-error.ts'
import type { Backoff } from '../policy/backoff.ts'
import type { Clock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import { linkedController } from '../runtime/scope.ts'
import type { Declaration, DesiredState } from '../session/ledger.ts'
import type { Lease } from '../source.ts'

export interface Keeping<C> {
  readonly driver: Driver<C>
  readonly clock: Clock
  readonly ledger: DesiredState<C>
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
const mostAtOnce = 64

/**
 * Puts the ledger on one connection and keeps it there until the signal fires: whatever is due is applied, side by
 * side, each under its own deadline. What hangs holds up only those that need it; what fails for now is tried again,
 * and what is refused for good is left alone on this connection.
 */
export async function keepLedger<C>(keeping: Keeping<C>, signal: AbortSignal): Promise<void> {
  const { ledger, clock } = keeping
  for (;;) {
    // Whoever woke this loop may have ended the lease in the same turn: the ledger belongs to the next one then.
    signal.throwIfAborted()
    for (const declaration of ledger.due(clock.now()).slice(0, mostAtOnce - ledger.applying)) {
      const scope = linkedController(signal)
      ledger.note(declaration, { kind: 'applying', abandon: scope.abort })
      applyOne(keeping, declaration, scope.signal).catch(keeping.onDefect).finally(scope.unlink)
    }
    await changedOrRetryDue(keeping, signal)
  }
}

async function changedOrRetryDue<C>({ ledger, clock }: Keeping<C>, signal: AbortSignal): Promise<void> {
  const retryAtMs = ledger.nextRetryAtMs()
  if (retryAtMs === undefined) return ledger.changed.wait(signal)
  const cancel = clock.after(retryAtMs - clock.now(), () => ledger.changed.notifyAll())
  try {
    await ledger.changed.wait(signal)
  } finally {
    cancel()
  }
}

// How it went is noted in the ledger, unless the try was abandoned.
async function applyOne<C>(
  keeping: Keeping<C>,
  declaration: Declaration<C>,
  signal: AbortSignal,
): Promise<void> {
  const { ledger, clock, lease } = keeping
  const timeoutMs = tryMs(declaration, ledger.failures(declaration.key))
  const expired = (): HaError =>
    new HaError('timed-out', `${declaration.key}: no answer within ${timeoutMs} ms`, {
      outcome: 'unknown',
      retryable: true,
    })
  const limit = { timeoutMs, signal, expired }
  try {
    await withDeadline(clock, limit, (inner) => declaration.apply(lease.connection, inner))
    if (!signal.aborted) ledger.note(declaration, { kind: 'held', sinceMs: clock.now() })
  } catch (thrown) {
    if (!signal.aborted) noteFailure(keeping, declaration, detachStack(asError(thrown)))
  }
}

// What was asked while a cluster was busy with itself often hangs long after a new request would pass: so the first
// tries are short. What is merely slow gets the whole time in the end.
function tryMs({ timeoutMs }: Declaration<never>, failures: number): number {
  return Math.round(timeoutMs * Math.min(1, 0.3 * 1.5 ** failures))
}

function noteFailure<C>(keeping: Keeping<C>, declaration: Declaration<C>, cause: Error): void {
  const { ledger, clock, driver } = keeping
  const timedOut = isHaError(cause) && cause.code === 'timed-out'
  const verdict = driver.classify(cause)
  if (!timedOut && verdict.scope !== 'call') {
    keeping.onLost(cause)
    return
  }
  if (timedOut || verdict.transient) {
    const delayMs = keeping.backoff(ledger.failures(declaration.key), keeping.random)
    ledger.note(declaration, { kind: 'retrying', atMs: clock.now() + delayMs, error: cause })
    return
  }
  const error = detachStack(new HaError('rejected', `${declaration.key}: ${cause.message}`, { cause }))
  if (ledger.note(declaration, { kind: 'refused', error })) keeping.onRefused(declaration.key, error)
}
