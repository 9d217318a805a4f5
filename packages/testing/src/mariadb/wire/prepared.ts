import type { Encoding } from './answers.ts'
import { encodeEof } from './answers.ts'
import { ByteWriter } from './byte-writer.ts'
import { type Column, encodeColumn } from './column.ts'
import { capability } from './flags.ts'

/** What a client is told of a statement that was prepared. */
export interface PreparedAnswer {
  readonly statement: number
  readonly parameters: number
  readonly columns: readonly Column[]
}

/** The payloads of the answer to `COM_STMT_PREPARE`. */
export function encodePrepared(answer: PreparedAnswer, encoding: Encoding): readonly Buffer[] {
  const { statement, parameters, columns } = answer
  const head = new ByteWriter()
    .octet(0)
    .long(statement)
    .short(columns.length)
    .short(parameters)
    .zeros(3)
    .take()
  const unknown: Column = { name: '?', type: 'text' }
  return [
    head,
    ...encodeColumns(
      Array.from({ length: parameters }, () => unknown),
      encoding,
    ),
    ...encodeColumns(columns, encoding),
  ]
}

function encodeColumns(columns: readonly Column[], { capabilities, status }: Encoding): readonly Buffer[] {
  if (columns.length === 0) return []
  const hasExtendedMetadata = (capabilities & capability.extendedMetadata) !== 0n
  const definitions = columns.map((column) => encodeColumn(column, hasExtendedMetadata))
  return (capabilities & capability.deprecateEof) === 0n ? [...definitions, encodeEof(status)] : definitions
}
