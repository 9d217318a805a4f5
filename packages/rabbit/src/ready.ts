import { type Clock, HaError, isHaError, type Link, scopeBelow } from '@ha/core'
import type { AmqpConnection } from './amqp/connection.ts'
import type { Links } from './links.ts'
import { conflictOf } from './topology/conflict.ts'

interface Limit {
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** Waits until every link in use is up and everything declared on it is settled; the first refusal rejects. */
export async function whenReady(clock: Clock, links: Links, { timeoutMs, signal }: Limit): Promise<void> {
  const inUse = [links.publish, links.consume].filter((link) => link.state.kind !== 'idle')
  // Nothing is in use yet: a client that is asked whether it is ready shows that it can connect.
  const waitFor = inUse.length > 0 ? inUse : [links.publish]
  const scope = scopeBelow(signal)
  const cancel = clock.after(timeoutMs, () => scope.abort(notReady(links, timeoutMs)))
  try {
    await Promise.all(waitFor.map((link) => upAndSettled(link, scope.signal)))
  } catch (error) {
    scope.abort(error)
    throw isHaError(error)
      ? error
      : new HaError('aborted', 'ready() was ended by its signal', { cause: error })
  } finally {
    cancel()
    scope.end()
  }
}

async function upAndSettled(link: Link<AmqpConnection>, signal: AbortSignal): Promise<void> {
  await link.acquire(signal)
  for (const key of link.ledger.keys()) {
    await link.ledger.whenSettled(key, signal).catch((error: unknown) => {
      throw !signal.aborted && isHaError(error) ? conflictOf(key, error) : error
    })
  }
}

function notReady(links: Links, timeoutMs: number): HaError {
  const reasons = [links.publish, links.consume]
    .map((link) => link.health())
    .filter(({ state }) => state !== 'idle')
    .map(({ name, state, reason, declarations }) => {
      const open = declarations.filter(({ standing }) => standing !== 'held').map(({ key }) => key)
      const missing = state === 'ready' ? `, waits for ${open.join(', ')}` : ''
      return `${name} is ${state}${reason === undefined ? '' : ` (${reason})`}${missing}`
    })
  return new HaError('timed-out', `not ready within ${timeoutMs} ms: ${reasons.join('; ')}`, {
    retryable: true,
  })
}
