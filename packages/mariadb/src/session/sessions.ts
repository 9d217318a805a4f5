import { formatEndpoint, run } from '@ha/core'
import { linkedController } from '@ha/core/driver'
import type { Call } from '../call-options.ts'
import type { Causality } from '../consistency/causality.ts'
import { classify } from '../driver/verdicts.ts'
import { fromCore } from '../from-driver.ts'
import { MariadbError } from '../mariadb-error.ts'
import { type Ground, OperationRunner } from '../statement/runner.ts'
import type { Holding } from '../transaction/holding.ts'
import { Session } from './session.ts'

type Ended<R> =
  | { readonly kind: 'returned'; readonly value: R }
  | { readonly kind: 'threw'; readonly error: unknown }

/** Lends one session to a callback. The callback runs once: what it did before its session was lost is its own. */
export async function inSession<R>(
  ground: Ground,
  holding: Holding,
  causality: Causality,
  call: Call,
  fn: (session: Session) => Promise<R>,
): Promise<R> {
  const runner = new OperationRunner(ground, {
    asked: call.route,
    timeoutMs: call.timeoutMs,
    classify,
    remembers: true,
  })
  const operation = { name: 'session', timeoutMs: call.timeoutMs, signal: call.signal, repeatable: false }
  const ended = await run(runner, operation, (connection, until) => {
    const ends = until()
    const scope = linkedController(ends)
    // Once its time is up, the connection is not ours, and cannot be asked what the callback wrote.
    const timeIsUp = (): void => causality.noteUnasked(connection)
    ends.addEventListener('abort', timeIsUp, { once: true })
    const over = `the session on ${formatEndpoint(connection.endpoint)} is over`
    return holding.during(runner.lease, async (): Promise<Ended<R>> => {
      try {
        return await endOf(fn, new Session(connection, scope.signal))
      } finally {
        ends.removeEventListener('abort', timeIsUp)
        // What the callback wrote is to be seen by the reads behind it.
        if (!ends.aborted) await causality.note(connection)
        scope.abort(new MariadbError('transaction-over', over))
      }
    })
  }).catch((error: unknown) => {
    throw fromCore(error)
  })
  if (ended.kind === 'returned') return ended.value
  const { error } = ended
  if (error instanceof MariadbError && error.outcome === 'unknown') ground.onUnknown('session', error)
  throw error
}

async function endOf<R>(fn: (session: Session) => Promise<R>, session: Session): Promise<Ended<R>> {
  try {
    return { kind: 'returned', value: await fn(session) }
  } catch (error) {
    return { kind: 'threw', error }
  }
}
