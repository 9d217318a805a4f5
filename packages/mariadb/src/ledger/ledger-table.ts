import { HaError } from '@ha/core'
import type { Statement } from '../driver/statement.ts'

/** What stands in the ledger under a token: the mark of a committed transaction, or the fence that shuts one out. */
export type LedgerKind = 'marker' | 'fence'

/** How many rows one deletion takes at the most: few, so that it is a small transaction for every node. */
export const purgedAtOnce = 500

/** The statements of one ledger table. */
export class LedgerTable {
  readonly #name: string

  /** `name` is `table` or `schema.table`. */
  constructor(name: string) {
    this.#name = name.split('.').map(quoted).join('.')
  }

  /** Makes the table. */
  get create(): Statement {
    return text(
      `CREATE TABLE IF NOT EXISTS ${this.#name} (` +
        'token VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, ' +
        "kind ENUM('marker', 'fence') NOT NULL, " +
        'at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), KEY (at)) ENGINE=InnoDB',
    )
  }

  /** Writes a row; 1062 when the token is taken. */
  write(token: string, kind: LedgerKind): Statement {
    return text(`INSERT INTO ${this.#name} (token, kind) VALUES (?, ?)`, [token, kind])
  }

  /**
   * Reads the row of a token. Locks it, and so waits for a transaction that is still open on this server: at READ
   * UNCOMMITTED a plain SELECT would see a mark that may yet be undone.
   */
  look(token: string): Statement {
    return text(`SELECT kind FROM ${this.#name} WHERE token = ? FOR UPDATE`, [token])
  }

  /** Fails with 1146 when the table is not there. */
  get find(): Statement {
    return text(`SELECT 1 FROM ${this.#name} LIMIT 0`)
  }

  /** Tokens of rows that are older than `keepMs`, {@link purgedAtOnce} at the most. */
  old(keepMs: number): Statement {
    const seconds = Math.ceil(keepMs / 1_000)
    return text(
      `SELECT token FROM ${this.#name} WHERE at < CURRENT_TIMESTAMP(3) - INTERVAL ${seconds} SECOND LIMIT ${purgedAtOnce}`,
    )
  }

  /** Deletes the rows of these tokens. */
  remove(tokens: readonly unknown[]): Statement {
    return text(`DELETE FROM ${this.#name} WHERE token IN (${tokens.map(() => '?').join(', ')})`, tokens)
  }
}

function text(sql: string, args?: readonly unknown[]): Statement {
  return { kind: 'text', sql, args }
}

function quoted(name: string): string {
  if (name === '' || name.includes('`') || name.includes('\0')) {
    throw new HaError('config-invalid', `ledger.table: '${name}' is not the name of a table`)
  }
  return `\`${name}\``
}
