import { Budget, Pool } from '@ha/core'
import { Emitter, sameEndpoint } from '@ha/core/driver'
import { plainCall } from './call-options.ts'
import { Causality } from './consistency/causality.ts'
import type { MariadbConnection } from './driver/connection.ts'
import type { Reading } from './driver/reading.ts'
import type { MariadbEvents } from './events.ts'
import { Ledger } from './ledger/ledger.ts'
import type { ResolvedOptions } from './options/resolved.ts'
import type { MariadbParts } from './parts.ts'
import { poolOptionsOf } from './pool-options.ts'
import { Chooser } from './route/chooser.ts'
import { rulesOf } from './route/rules.ts'
import type { Ground } from './statement/runner.ts'
import { Statements } from './statement/statements.ts'
import { Holding } from './transaction/holding.ts'
import { Transactions } from './transaction/transactions.ts'
import { Watching } from './watching.ts'

/** Everything that a client is made of. */
export interface Assembly {
  readonly events: Emitter<MariadbEvents>
  readonly ground: Ground
  readonly causality: Causality
  readonly holding: Holding
  readonly ledger: Ledger | undefined
  readonly statements: Statements
  readonly transactions: Transactions
  readonly watching: Watching
}

/** Puts a client together. Nothing of it dials before the pool is started. */
export function assemble(options: ResolvedOptions, parts: MariadbParts): Assembly {
  const events = new Emitter<MariadbEvents>()
  const holding = new Holding()
  const ground = groundOf(options, parts, holding, {
    onUnknown: (name, error) => watching.tellUnknown(name, error),
    onResolved: (token, fate) => watching.tellResolved(token, fate),
  })
  const watching = new Watching({ ...ground, options, events })
  const causality = new Causality(options.consistency !== 'eventual', parts.clock, (connection) =>
    isGalera(ground, connection) ? 'galera' : 'replication',
  )
  const ledger = options.ledger === undefined ? undefined : new Ledger(ground, options.ledger)
  const statements = new Statements(ground, causality, plainCall(options))
  const transactions = new Transactions({ ground, causality, ledger, holding, retry: options.retry })
  return { events, ground, causality, holding, ledger, statements, transactions, watching }
}

function groundOf(
  options: ResolvedOptions,
  parts: MariadbParts,
  holding: Holding,
  outcomes: Pick<Ground, 'onUnknown' | 'onResolved'>,
): Ground {
  const { pool, hosts, failBack } = options
  const { clock, random } = parts
  // When a server dies, everything that ran on it may be run once more, and once more after that.
  const burst = 2 * pool.maximumSize * hosts.length
  return {
    pool: new Pool<MariadbConnection, Reading>(poolOptionsOf(options, parts)),
    chooser: new Chooser({ rules: rulesOf(options), afterMs: failBack.afterMs, clock, random }),
    clock,
    random,
    acquireTimeoutMs: pool.acquireTimeoutMs,
    budget: new Budget({ burst, refill: 0.1 }),
    held: () => holding.current,
    ...outcomes,
  }
}

function isGalera({ pool }: Ground, { endpoint }: MariadbConnection): boolean {
  const member = pool.view.members.find((each) => sameEndpoint(each.endpoint, endpoint))
  return member?.reading?.galera !== undefined
}
