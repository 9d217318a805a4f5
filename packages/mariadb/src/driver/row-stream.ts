import { Readable } from 'node:stream'
import type { FieldInfo } from 'mariadb'
import type { DriverError } from './driver-error.ts'
import { type ResultRules, rowReader } from './results.ts'
import type { Row } from './statement.ts'

/** What a stream of rows tells its connection. */
export interface RowStreamEnds {
  /** The server has answered to the end. */
  complete(): void
  /** The server refused, or the driver did: in our words. */
  translate(thrown: unknown): DriverError
  /** Nobody takes the rest of the rows. */
  left(): void
}

/** The driver's stream with our values and errors, and an end that is always told. */
export function rowStream(source: Readable, rules: ResultRules, ends: RowStreamEnds): Readable {
  let open = true
  let answered = false
  let read: ((row: Row) => Row) | undefined
  const rows = new Readable({
    objectMode: true,
    read: () => {
      source.resume()
    },
    destroy: (error, done) => {
      if (open) ends.left()
      done(error)
    },
  })
  const complete = (): void => {
    open = false
    ends.complete()
  }
  source.once('fields', (columns: readonly FieldInfo[]) => {
    answered = true
    read = rowReader(columns, rules)
    if (haveTwins(columns)) rows.destroy(ends.translate(new Error('two columns have the same name')))
  })
  source.on('data', (row: Row) => {
    answered = true
    // Without columns before it, it is no row but the answer to a write.
    if (read !== undefined && !rows.push(read(row))) source.pause()
  })
  source.on('error', (thrown) => {
    complete()
    rows.destroy(ends.translate(thrown))
  })
  source.once('end', () => {
    if (open) complete()
    // On a connection that it holds to be closed, the driver answers nothing at all.
    if (answered) rows.push(null)
    else rows.destroy(ends.translate(new Error('the connection was closed')))
  })
  return rows
}

// The driver says so of a result, and keeps it to itself in a stream.
function haveTwins(columns: readonly FieldInfo[]): boolean {
  return new Set(columns.map((column) => column.name())).size < columns.length
}
