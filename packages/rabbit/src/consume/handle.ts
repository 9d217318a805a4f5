import type { Clock, Link } from '@ha/core'
import { linkedController, withDeadline } from '@ha/core/driver'
import type { AmqpConnection } from '../amqp/connection.ts'
import { rabbitError } from '../codes.ts'
import { queueKey } from '../topology/plan.ts'
import { lastFailure, whenSettled } from '../topology/settling.ts'
import type { StopReport } from './consumer.ts'

/** A subscription that lives until it is stopped. */
export interface Consumer {
  readonly queue: string
  /** `consuming`, or why not: `starting`, `retrying`, `refused` by the broker for good, `stopped`. */
  readonly status: ConsumerStatus
  /**
   * Resolves when it consumes for the first time. Rejects when the broker refuses it for good, with `closed` when it
   * is stopped, or, by default after 30 s, with `timed-out` and the reason.
   */
  ready(limit?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void>
  /**
   * Takes no more messages and lets handlers at work finish, up to `timeoutMs` (default 5 000). Never rejects. Called
   * again, also by the end of the client, it can only become shorter.
   */
  stop(limit?: { readonly timeoutMs?: number }): Promise<StopReport>
}

export type ConsumerStatus = 'starting' | 'consuming' | 'retrying' | 'refused' | 'stopped'

export interface HandleParts {
  readonly clock: Clock
  readonly ledger: Link<AmqpConnection>['desiredState']
  /** Under which it is declared; it is stopped when nothing is. */
  readonly key: string
  readonly queue: string
  readonly stop: (signal: AbortSignal) => Promise<StopReport>
}

/** A consumer as its user sees it. */
export function consumerHandle(parts: HandleParts): Consumer {
  const { clock, ledger, key, queue, stop } = parts
  return {
    queue,
    get status() {
      return statusOf(ledger.standing(key)?.kind)
    },
    ready: ({ timeoutMs = 30_000, signal } = {}) => whenConsuming(parts, timeoutMs, signal),
    stop: async ({ timeoutMs = 5_000 } = {}) => {
      const scope = linkedController()
      const expired = `${queue}: handlers still at work after ${timeoutMs} ms`
      const cancel = clock.after(timeoutMs, () => scope.abort(rabbitError('timed-out', expired)))
      return stop(scope.signal).finally(cancel)
    },
  }
}

async function whenConsuming(
  { clock, ledger, key, queue }: HandleParts,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  let cause: Error | undefined
  const onWait = (): void => {
    cause = lastFailure(ledger, key) ?? lastFailure(ledger, queueKey(queue)) ?? cause
  }
  const expired = (): Error => {
    const why = cause === undefined ? '' : `: ${cause.message}`
    const message = `no consumer on '${queue}' within ${timeoutMs} ms${why}`
    return rabbitError('timed-out', message, { retryable: true, cause })
  }
  await withDeadline(clock, { timeoutMs, signal, expired }, (inner) =>
    whenSettled(ledger, key, inner, onWait),
  )
  if (ledger.standing(key) === undefined) throw rabbitError('closed', `the consumer of '${queue}' is stopped`)
}

function statusOf(standing: string | undefined): ConsumerStatus {
  switch (standing) {
    case undefined:
      return 'stopped'
    case 'held':
      return 'consuming'
    case 'refused':
      return 'refused'
    case 'retrying':
      return 'retrying'
    default:
      return 'starting'
  }
}
