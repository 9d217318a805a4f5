import type { Declaration, DesiredState } from '../desired-state.ts'
import { asError, detachStack, HaError, isHaError } from '../errors/ha-error.ts'
import type { Lease } from '../lease.ts'
import { fullJitter } from '../policy/backoff.ts'
import { linkedController, withDeadline } from '../util/abort.ts'
import type { LinkOptions } from './link-options.ts'

interface ReconcilerDeps<C> {
  readonly options: LinkOptions<C>
  readonly desiredState: DesiredState<C>
  readonly lease: Lease<C>
  /** Called when a declaration failed because the connection has failed. */
  readonly onLost: (error: Error) => void
  /** Called once when the server refuses a declaration for good; it is tried again on the next connection only. */
  readonly onRefused: (key: string, error: HaError) => void
  /** Called with an error that only a defect of this library explains. */
  readonly onDefect: (thrown: unknown) => void
}

// A thousand declarations must not become a burst of requests: RabbitMQ allows 2 047 channels per connection.
const maxConcurrent = 64

/**
 * Applies the desired state to one connection and keeps it applied until the signal fires: all due declarations
 * concurrently, each under its own deadline. A declaration that hangs delays only those that need it. A transient
 * failure is retried; a declaration that the server refuses for good is not tried again on this connection.
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
    await withDeadline(clock, limit, (inner) => declaration.apply(lease.connection, inner))
    if (!signal.aborted) desiredState.record(declaration, { kind: 'held', sinceMs: clock.now() })
  } catch (thrown) {
    if (!signal.aborted) recordFailure(deps, declaration, detachStack(asError(thrown)))
  }
}

// A request sent during an election often hangs long after a new one would pass: so the first attempts are short. A
// slow server gets the whole time in the end.
function attemptTimeoutMs({ timeoutMs }: Declaration<never>, failures: number): number {
  return Math.round(timeoutMs * Math.min(1, 0.3 * 1.5 ** failures))
}

function recordFailure<C>(deps: ReconcilerDeps<C>, declaration: Declaration<C>, cause: Error): void {
  const { desiredState, options } = deps
  const { clock, driver, random } = options
  const timedOut = isHaError(cause) && cause.code === 'timed-out'
  const verdict = driver.classify(cause)
  if (!timedOut && verdict.scope !== 'call') {
    deps.onLost(cause)
    return
  }
  if (timedOut || verdict.transient) {
    const delayMs = fullJitter(options.restoreBackoff)(desiredState.failures(declaration.key), random)
    desiredState.record(declaration, { kind: 'retrying', atMs: clock.now() + delayMs, error: cause })
    return
  }
  const error = detachStack(new HaError('rejected', `${declaration.key}: ${cause.message}`, { cause }))
  if (desiredState.record(declaration, { kind: 'refused', error })) deps.onRefused(declaration.key, error)
}
