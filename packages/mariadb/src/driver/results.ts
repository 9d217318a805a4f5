import type { FieldInfo } from 'mariadb'
import type { ResultOptions } from '../options/resolved.ts'
import type { Answer, Column, Row } from './statement.ts'
import { readDate, type Zone } from './zone.ts'

/** How values of the server become values of JavaScript. */
export interface ResultRules extends Pick<ResultOptions, 'bigint' | 'dates'> {
  readonly zone: Zone
}

/** The driver's result as an {@link Answer}. */
export function readResult(result: unknown, rules: ResultRules): Answer {
  if (!Array.isArray(result)) return readWritten(result as Written, rules)
  const rows = result as DriverRows
  if (rows.meta !== undefined) return readRows(rows, rows.meta, rules)
  // A procedure answers more than once; what a batch returns comes without columns.
  const several = rows.some((each) => Array.isArray(each))
  if (!several) return { kind: 'rows', rows, columns: [] }
  return { kind: 'several', answers: rows.map((each) => readResult(each, rules)) }
}

/** Converts one row of a stream in place. */
export function rowReader(columns: readonly FieldInfo[], rules: ResultRules): (row: Row) => Row {
  const readers = readersOf(columns, rules)
  return (row) => {
    for (const { name, read } of readers) convert(row, name, read)
    return row
  }
}

/** What a statement that wrote came to, as the driver has it. */
interface Written {
  readonly affectedRows: number
  readonly insertId: bigint
  readonly warningStatus: number
}

type DriverRows = readonly Row[] & { readonly meta?: readonly FieldInfo[] }

function readWritten({ affectedRows, insertId, warningStatus }: Written, rules: ResultRules): Answer {
  return { kind: 'written', affectedRows, insertId: readBigint(insertId, rules), warnings: warningStatus }
}

function readRows(rows: readonly Row[], meta: readonly FieldInfo[], rules: ResultRules): Answer {
  const readers = readersOf(meta, rules)
  for (const { name, read } of readers) for (const row of rows) convert(row, name, read)
  return { kind: 'rows', rows, columns: meta.map(describe) }
}

function describe(field: FieldInfo): Column {
  return { name: field.name(), type: field.type }
}

interface Reader {
  readonly name: string
  readonly read: (value: never) => unknown
}

// Most results have no column that needs one.
function readersOf(columns: readonly FieldInfo[], rules: ResultRules): readonly Reader[] {
  const readers: Reader[] = []
  for (const column of columns) {
    const read = readerOf(column, rules)
    if (read !== undefined) readers.push({ name: column.name(), read })
  }
  return readers
}

function readerOf(column: FieldInfo, rules: ResultRules): Reader['read'] | undefined {
  switch (column.type) {
    case 'BIGINT':
      return rules.bigint === 'bigint' ? undefined : (value: bigint) => readBigint(value, rules)
    case 'DATE':
    case 'DATETIME':
    case 'TIMESTAMP':
      return rules.dates === 'string' ? undefined : (value: string) => readDate(value, rules.zone)
    default:
      return column.isDataTypeFormatJson() || column.type === 'JSON' ? readJson : undefined
  }
}

// In place: the rows are fresh, and a result may be large.
function convert(row: Row, name: string, read: Reader['read']): void {
  const cells = row as Record<string, unknown>
  if (cells[name] !== null) cells[name] = read(cells[name] as never)
}

function readBigint(value: bigint, { bigint }: ResultRules): number | bigint | string {
  switch (bigint) {
    case 'bigint':
      return value
    case 'string':
      return String(value)
    case 'number':
      return Number(value)
    case 'auto':
      return value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER ? value : Number(value)
  }
}

// The driver parses while it reads the socket, where a document that was cut (`group_concat_max_len`) ends the process.
function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The text says more than nothing.
    return text
  }
}
