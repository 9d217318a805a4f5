import {
  type Answer,
  type ErrorAnswer,
  type OkAnswer,
  okAnswer,
  type RowsAnswer,
  type Tracked,
} from './answer.ts'
import { ByteWriter } from './byte-writer.ts'
import { encodeColumn } from './column.ts'
import { capability, statusFlag } from './flags.ts'
import { encodeBinaryRow, encodeTextRow } from './rows.ts'

/** How an answer is put into packets. */
export interface Encoding {
  /** What client and server have agreed on. */
  readonly capabilities: bigint
  /** The bits of {@link statusFlag} that go with it. */
  readonly status: number
  readonly rows: 'text' | 'binary'
}

const eofMark = 0xfe
const errorMark = 0xff

/** The payloads of an answer. */
export function encodeAnswer(answer: Answer, encoding: Encoding): readonly Buffer[] {
  switch (answer.kind) {
    case 'ok':
      return [encodeOk(answer, encoding, 0)]
    case 'error':
      return [encodeError(answer)]
    case 'rows':
      return encodeRows(answer, encoding)
  }
}

/** An error as a payload. */
export function encodeError({ errno, sqlState, message }: ErrorAnswer): Buffer {
  const writer = new ByteWriter().octet(errorMark).short(errno)
  if (sqlState !== undefined) writer.text(`#${sqlState}`)
  return writer.text(message).take()
}

/** The end of a list of columns for clients that still expect one. */
export function encodeEof(status: number): Buffer {
  return new ByteWriter().octet(eofMark).short(0).short(status).take()
}

function encodeOk(answer: OkAnswer, { capabilities, status }: Encoding, mark: number): Buffer {
  const isTold = answer.tracked.length > 0 && (capabilities & capability.sessionTrack) !== 0n
  const writer = new ByteWriter().octet(mark).length(answer.affectedRows).length(answer.insertId)
  writer.short(isTold ? status | statusFlag.sessionStateChanged : status).short(answer.warnings)
  if (!isTold) return writer.take()
  return writer
    .sized('')
    .sized(Buffer.concat(answer.tracked.map(encodeTracked)))
    .take()
}

const trackedType = { variable: 0, schema: 1 } as const

function encodeTracked(tracked: Tracked): Buffer {
  const body = new ByteWriter().sized(tracked.name)
  if (tracked.kind === 'variable') body.sized(tracked.value)
  return new ByteWriter().octet(trackedType[tracked.kind]).sized(body.take()).take()
}

function encodeRows({ columns, rows }: RowsAnswer, encoding: Encoding): readonly Buffer[] {
  const { capabilities, status } = encoding
  const hasExtendedMetadata = (capabilities & capability.extendedMetadata) !== 0n
  const hasEof = (capabilities & capability.deprecateEof) === 0n
  const end = hasEof ? encodeEof(status) : encodeOk(okAnswer, encoding, eofMark)
  return [
    new ByteWriter().length(columns.length).take(),
    ...columns.map((column) => encodeColumn(column, hasExtendedMetadata)),
    ...(hasEof ? [encodeEof(status)] : []),
    ...rows.map((row) => (encoding.rows === 'text' ? encodeTextRow(row) : encodeBinaryRow(row, columns))),
    end,
  ]
}
