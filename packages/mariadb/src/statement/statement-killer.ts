import { type Clock, type Endpoint, formatEndpoint, HaError, type PoolDriver } from '@ha/core'
import { asError, closeGracefully, openWithin, raceAbort, withDeadline } from '@ha/core/driver'
import type { MariadbConnection } from '../driver/connection.ts'
import type { MariadbStatus } from '../driver/server-status.ts'
import type { AbandonedStatement } from '../driver/statement.ts'

interface StatementKillerDeps {
  readonly driver: PoolDriver<MariadbConnection, MariadbStatus>
  readonly clock: Clock
  /** Reports why a statement could not be ended. */
  readonly warn: (text: string) => void
  /** Aborted when the client is closed. */
  readonly signal: AbortSignal
}

// The time for one side connection, with its login and everything that waits for it.
const killTimeoutMs = 3_000
const closeTimeoutMs = 1_000
// Waiting statements of one server; each takes a few bytes. A server that answers works them off in milliseconds.
const maxWaiting = 1_000

/**
 * Ends statements at the server when their callers have given up: a deadline ends the work, not only the wait. The
 * connection of the statement is discarded by then, so that a KILL QUERY that comes late hits nothing else.
 */
export class StatementKiller {
  readonly #deps: StatementKillerDeps
  readonly #waiting = new Map<string, AbandonedStatement[]>()

  constructor(deps: StatementKillerDeps) {
    this.#deps = deps
  }

  /** Ends the statement soon, or reports why not. Never throws, and never waits. */
  kill(statement: AbandonedStatement): void {
    if (this.#deps.signal.aborted) return
    const name = formatEndpoint(statement.endpoint)
    const waiting = this.#waiting.get(name)
    if (waiting !== undefined) {
      if (waiting.length < maxWaiting) waiting.push(statement)
      return
    }
    this.#waiting.set(name, [statement])
    this.#killAll(name, statement.endpoint).catch((error: unknown) => {
      this.#waiting.delete(name)
      if (!this.#deps.signal.aborted) this.#deps.warn(mayStillRun(name, asError(error).message))
    })
  }

  // One connection for all statements of a server, one after the other.
  async #killAll(name: string, endpoint: Endpoint): Promise<void> {
    const { clock, signal } = this.#deps
    const connection = await openWithin(this.#deps, endpoint, { timeoutMs: killTimeoutMs, signal })
    try {
      const expired = (): HaError =>
        new HaError('timed-out', `KILL QUERY: no answer within ${killTimeoutMs} ms`)
      const work = (until: AbortSignal): Promise<void> => this.#work(name, connection, until)
      await withDeadline(clock, { timeoutMs: killTimeoutMs, signal, expired }, work)
    } finally {
      await closeGracefully(this.#deps, connection, { timeoutMs: closeTimeoutMs, signal })
    }
  }

  async #work(name: string, connection: MariadbConnection, signal: AbortSignal): Promise<void> {
    for (;;) {
      const next = this.#waiting.get(name)?.shift()
      if (next === undefined) {
        // In the same turn: a statement that comes later needs a connection of its own.
        this.#waiting.delete(name)
        return
      }
      const unsure = await raceAbort(killOn(connection, next), signal, () => undefined)
      if (unsure !== undefined) this.#deps.warn(mayStillRun(name, unsure))
    }
  }
}

// The server lists a connection with the address of its client: an id of an earlier run of the server, or of another
// server behind the same address, has another one.
// Returns why the statement could not be identified.
async function killOn(
  connection: MariadbConnection,
  statement: AbandonedStatement,
): Promise<string | undefined> {
  if (statement.server === undefined || connection.server === undefined)
    return 'KILL QUERY was not sent, because the server does not tell its identity (a proxy may answer for it)'
  if (connection.server !== statement.server)
    return 'KILL QUERY was not sent, because another server answers at this address now'
  const id = String(Math.trunc(statement.threadId))
  const sql = `SELECT HOST AS host FROM information_schema.PROCESSLIST WHERE ID = ${id}`
  const answer = await connection.run({ sql, kind: 'text' })
  const host = answer.kind === 'rows' ? String(answer.rows[0]?.['host'] ?? '') : ''
  if (host === '') return undefined
  if (!host.endsWith(`:${statement.localPort}`))
    return 'KILL QUERY was not sent, because the server lists the connection with another client port (a proxy or address translation may be between)'
  // 1094: it has ended meanwhile.
  await connection.run({ sql: `KILL QUERY ${id}`, kind: 'text' }).catch((error: { errno?: number }) => {
    if (error.errno !== 1094) throw error
  })
  return undefined
}

function mayStillRun(name: string, reason: string): string {
  return `statements that timed out may still run on ${name}: ${reason}`
}
