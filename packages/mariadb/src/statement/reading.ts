import { formatEndpoint, type Verdict } from '@ha/core'
import type { Call } from '../call-options.ts'
import { type Causality, Deaf, NotCaughtUp, type Topology, untilApplied } from '../consistency/causality.ts'
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
  const topology = causality.topologyAt(connection)
  if (consistency === 'strong' || !causality.known) {
    // A node that takes the writes may still have to apply what was committed through another one.
    if (topology === 'galera') await untilApplied(connection)
    return
  }
  // The one node that takes the writes is waited for as long as the call may last: no other would be sooner.
  const isLast = topology === 'galera' && runner.isForSingleWriter
  try {
    await causality.catchUp(connection, isLast ? timeoutMs : Math.min(patienceMs[topology], timeoutMs / 4))
  } catch (error) {
    // Not another one that may be as late: whoever takes the writes has them.
    if (error instanceof NotCaughtUp) {
      runner.avoid(formatEndpoint(connection.endpoint))
      runner.goToPrimary()
    }
    throw error
  }
}

// Longer than a server in good health needs, in milliseconds; one that needs longer is passed over. To give up a wait
// costs a connection in a Galera cluster, and nothing in a replication.
const patienceMs: Readonly<Record<Topology, number>> = { galera: 1_000, replication: 250 }

const elsewhere: Verdict = { scope: 'call', effect: 'none', transient: true }

/** As the driver classifies, of reads: a server that lags or a session that cannot wait is no failure. */
export function classifyRead(error: unknown): Verdict {
  return error instanceof NotCaughtUp || error instanceof Deaf ? elsewhere : classify(error)
}
