import type { Endpoint } from '@ha/core'
import { sameEndpoint } from '@ha/core/driver'
import type { MariadbConnection } from '../driver/connection.ts'
import { type Gtid, isLater, isPosition } from './gtid.ts'

/** How far the data of a primary with replicas was when this client wrote last, as far as it is known. */
export class Positions {
  #latest: Position | undefined
  // Counts the questions, so that it can be said which write came after which.
  #asked = 0
  // A write whose position could not be had: until a later one has one, only the writer is known to have seen it.
  #blindSince: number | undefined
  readonly #last = new WeakMap<MariadbConnection, string>()

  /** Whether a read can be told how far the data has to be. */
  get known(): boolean {
    return this.#blindSince === undefined
  }

  /** Asks for the position of the write before it on the connection; to be called right behind it. Never rejects. */
  async note(connection: MariadbConnection): Promise<void> {
    this.#asked += 1
    const begun = this.#asked
    try {
      const answer = await connection.run({ kind: 'text', sql: 'SELECT @@last_gtid AS gtid' })
      const gtid = answer.kind === 'rows' ? answer.rows[0]?.['gtid'] : undefined
      // A session that wrote nothing has no position, and one whose last statement wrote nothing has the one before.
      if (!isPosition(gtid) || this.#last.get(connection) === gtid) return
      this.#last.set(connection, gtid)
      this.#advance(gtid, begun, connection.endpoint)
    } catch {
      this.lose()
    }
  }

  /** Notes that something may have been written whose position nobody can be asked for. */
  lose(): void {
    this.#blindSince = this.#asked
  }

  /** Resolves with true when the server has all that was noted, with false when it has not within `withinMs`. */
  async reached(connection: MariadbConnection, withinMs: number): Promise<boolean> {
    const latest = this.#latest
    // Who acknowledged it has it. A primary that follows nobody would be asked in vain: it applies nothing.
    if (latest === undefined || sameEndpoint(latest.writtenAt, connection.endpoint)) return true
    const sql = 'SELECT MASTER_GTID_WAIT(?, ?) AS reached'
    const answer = await connection.run({ kind: 'text', sql, args: [latest.gtid, withinMs / 1_000] })
    return answer.kind === 'rows' && Number(answer.rows[0]?.['reached']) === 0
  }

  #advance(gtid: Gtid, begun: number, writtenAt: Endpoint): void {
    if (this.#blindSince !== undefined && begun > this.#blindSince) this.#blindSince = undefined
    const before = this.#latest
    // A write that began when the one before was known already is later, though its number be lower: then the history
    // that the higher one belonged to is gone.
    const follows = before === undefined || begun > before.notedAt
    if (follows || isLater(gtid, before.gtid)) this.#latest = { gtid, writtenAt, notedAt: this.#asked }
  }
}

interface Position {
  readonly gtid: Gtid
  readonly writtenAt: Endpoint
  /** How many questions had been asked when it was known. */
  readonly notedAt: number
}
