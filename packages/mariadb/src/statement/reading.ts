import type { Verdict } from '@ha/core'
import type { Call } from '../call-options.ts'
import { type Causality, NotCaughtUp } from '../consistency/causality.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import { classify } from '../driver/verdicts.ts'
import type { OperationRunner } from './runner.ts'

/** Which server a read may go to: where nobody can say how far it has to be, only the one that takes the writes. */
export function readerFor(causality: Causality, { route, consistency }: Call): Call['route'] {
  if (consistency === 'eventual') return route
  return consistency === 'strong' || !causality.known ? 'primary' : route
}

/** Waits until the server of a connection has what a read must see; where it has not, the call goes to the primary. */
export async function beforeReading(
  causality: Causality,
  runner: OperationRunner,
  connection: MariadbConnection,
  { consistency, timeoutMs }: Call,
): Promise<void> {
  if (consistency === 'eventual') return
  if (consistency === 'strong' || !causality.known) {
    // A node that takes the writes may still have to apply what was committed through another one.
    if (causality.topologyAt(connection) === 'galera') await connection.run({ kind: 'text', sql: syncWait })
    return
  }
  try {
    await causality.catchUp(connection, Math.min(mostPatienceMs, timeoutMs / 4))
  } catch (error) {
    // Not another one that may be as late: whoever takes the writes has them.
    runner.goToPrimary()
    throw error
  }
}

// Any read that waits will do: it ends when the node has applied all that was committed before it began.
const syncWait = 'SET STATEMENT wsrep_sync_wait=1 FOR SELECT 1'

// Longer than a replica in good health needs, in milliseconds; one that needs longer is passed over. Galera makes a
// second of it.
const mostPatienceMs = 250

const elsewhere: Verdict = { scope: 'call', effect: 'none', transient: true }

/** As the driver classifies, of reads: a server that lags is no failure, another one is asked. */
export function classifyRead(error: unknown): Verdict {
  return error instanceof NotCaughtUp ? elsewhere : classify(error)
}
