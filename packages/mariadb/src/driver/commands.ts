import type { Readable } from 'node:stream'
import type { Connection, QueryOptions } from 'mariadb'
import type { Pipelined, Statement } from './statement.ts'

/** Hands a statement to the driver. What comes back is the driver's own result, or its own error. */
export function send(driver: Connection, statement: Statement, values: unknown): Promise<unknown> {
  const command = commandOf(statement, values)
  switch (statement.kind) {
    case 'text':
      return driver.query(command, values)
    case 'prepared':
      return driver.execute(command, values)
    case 'batch':
      return driver.batch(command, values)
  }
}

/** As {@link send}, for a query whose rows are streamed: the driver does so in the plain protocol only. */
export function sendStream(driver: Connection, statement: Pipelined, values: unknown): Readable {
  return driver.queryStream(commandOf(statement, values), values)
}

// Options on a single statement cost the driver a chain of objects: only names need one.
function commandOf({ sql, kind }: Statement, values: unknown): string | QueryOptions {
  const row: unknown = kind === 'batch' && Array.isArray(values) ? values[0] : values
  return row === undefined || Array.isArray(row) ? sql : { sql, namedPlaceholders: true }
}
