import { type Clock, HaError, isHaError, type Link } from '@ha/core'
import { linkedController } from '@ha/core/driver'
import type { AmqpConnection } from './amqp/connection.ts'
import type { Links } from './links.ts'
import { conflictOf } from './topology/conflict.ts'
import { lastFailure, whenSettled } from './topology/settling.ts'

export interface ReadyLimit {
  readonly timeoutMs: number
  /** The caller's own. */
  readonly signal: AbortSignal | undefined
  /** Fires with `closed` when the client ends. */
  readonly begun: AbortSignal
}

/** Waits until every link in use is up and everything declared on it is settled; the first refusal rejects. */
export async function whenReady(
  clock: Clock,
  links: Links,
  { timeoutMs, signal, begun }: ReadyLimit,
): Promise<void> {
  begun.throwIfAborted()
  const inUse = [links.publish, links.consume].filter((link) => link.state.kind !== 'idle')
  // Nothing is in use yet: a client that is asked whether it is ready shows that it can connect.
  const waitFor = inUse.length > 0 ? inUse : [links.publish]
  const scope = linkedController(begun, signal)
  let cause: Error | undefined
  const onFailure = (error: Error): void => {
    cause = error
  }
  const cancel = clock.after(timeoutMs, () => scope.abort(notReady(links, timeoutMs, cause)))
  try {
    await Promise.all(waitFor.map((link) => upAndSettled(link, scope.signal, onFailure)))
  } catch (error) {
    scope.abort(error)
    throw isHaError(error)
      ? error
      : new HaError('aborted', 'ready() was ended by its signal', { cause: error })
  } finally {
    cancel()
    scope.unlink()
  }
}

async function upAndSettled(
  link: Link<AmqpConnection>,
  signal: AbortSignal,
  onFailure: (error: Error) => void,
): Promise<void> {
  await link.acquire(signal)
  for (const key of link.desiredState.keys()) {
    const onWait = (): void => {
      const error = lastFailure(link.desiredState, key)
      if (error !== undefined) onFailure(error)
    }
    await whenSettled(link.desiredState, key, signal, onWait).catch((error: unknown) => {
      throw !signal.aborted && isHaError(error) ? conflictOf(key, error) : error
    })
  }
}

function notReady(links: Links, timeoutMs: number, cause: Error | undefined): HaError {
  const both = [links.publish, links.consume]
  const reasons = both
    .map((link) => link.health())
    .filter(({ state }) => state !== 'idle')
    .map(({ name, state, reason, declarations }) => {
      const open = declarations.filter(({ standing }) => standing !== 'held').map(({ key }) => key)
      const missing = state === 'ready' ? `, waits for ${open.join(', ')}` : ''
      return `${name} is ${state}${reason === undefined ? '' : ` (${reason})`}${missing}`
    })
  return new HaError('timed-out', `not ready within ${timeoutMs} ms: ${reasons.join('; ')}`, {
    retryable: true,
    cause: cause ?? both.map(troubleOf).find((error) => error !== undefined),
  })
}

function troubleOf({ state }: Link<AmqpConnection>): HaError | undefined {
  if (state.kind === 'waiting') return state.error
  return state.kind === 'dialing' ? state.trouble : undefined
}
