import { endPolitely } from '../connection.ts'
import { asError, detachStack, HaError } from '../errors/ha-error.ts'
import { withDeadline } from '../runtime/deadline.ts'
import { leaseOver } from '../source.ts'
import type { Held } from './held.ts'
import type { PoolDriver } from './pool-driver.ts'
import type { PoolOptions } from './pool-options.ts'

export interface Keeping<C> {
  readonly options: PoolOptions<C, unknown>
  /** `host:port`. */
  readonly name: string
}

/** What a borrower left behind. */
export type Leftover =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'renewing'; readonly done: Promise<void> }
  /** Nobody may have it again. */
  | { readonly kind: 'spoilt'; readonly error: Error }

/** Has the driver judge what was given back. One that throws has not said that it may be lent again. */
export function leftover<C>(driver: PoolDriver<C, unknown>, { connection, signal }: Held<C>): Leftover {
  try {
    if (!driver.reusable(connection)) return { kind: 'spoilt', error: new Error('it was given back in use') }
    const done = driver.renew(connection, signal)
    return done === undefined ? { kind: 'nothing' } : { kind: 'renewing', done }
  } catch (thrown) {
    return { kind: 'spoilt', error: asError(thrown) }
  }
}

/** How a connection took what was asked of it. */
export type Proof =
  | { readonly kind: 'sound' }
  /** It said no, or is over. */
  | { readonly kind: 'broken'; readonly error: Error }
  /** It did not answer: the others to this endpoint may not do so either. */
  | { readonly kind: 'silent'; readonly error: Error }

/** Asks something of a connection within `idle.validateTimeoutMs`, and ends it unless it answers well. Never rejects. */
export async function proved<C>(
  { options, name }: Keeping<C>,
  held: Held<C>,
  ask: (signal: AbortSignal) => Promise<void>,
): Promise<Proof> {
  const { clock, idle } = options
  const timeoutMs = idle.validateTimeoutMs
  const silent = new HaError(
    'silent',
    `an idle connection to ${name} gave no answer within ${timeoutMs} ms`,
    {
      endpoint: name,
      retryable: true,
    },
  )
  try {
    await withDeadline(clock, { timeoutMs, signal: held.signal, expired: () => silent }, ask)
    held.idleSinceMs = clock.now()
    return { kind: 'sound' }
  } catch (thrown) {
    const error = detachStack(asError(thrown))
    held.end(leaseOver(name, error))
    return { kind: error === silent ? 'silent' : 'broken', error }
  }
}

/** Ends a connection that is still sound, politely within `timeoutMs`. Never rejects. */
export async function retired<C>(
  { options, name }: Keeping<C>,
  held: Held<C>,
  timeoutMs: number,
): Promise<void> {
  await endPolitely(options, held.connection, { timeoutMs, signal: held.signal })
  held.end(leaseOver(name, new HaError('closed', 'nobody needed it any more')))
}
