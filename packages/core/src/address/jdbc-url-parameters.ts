import { jdbcUrlError, pieceAfter, type TextSpan } from './jdbc-url-piece.ts'

/** One `name=value` of a JDBC URL. */
export interface JdbcParameter {
  /** As it was written. Two names that differ only in case are the same. */
  readonly name: string
  /** Undefined for a bare name, which means true. */
  readonly value: string | undefined
  readonly column: number
  /** Where the value begins; for a bare name, where the name does. */
  readonly valueColumn: number
}

/** Reads `name=value&name&...`, not yet decoded. Throws for an empty place, a bad name, or one that stands twice. */
export function readJdbcParameters(query: TextSpan): readonly JdbcParameter[] {
  if (query.text === '') return []
  const columns = new Map<string, number>()
  const parameters: JdbcParameter[] = []
  let start = 0
  for (const text of query.text.split('&')) {
    const parameter = readParameter({ text, column: query.column + start })
    const name = parameter.name.toLowerCase()
    const earlier = columns.get(name)
    if (earlier !== undefined) {
      throw jdbcUrlError(parameter.column, `this parameter stands twice (first at column ${earlier})`)
    }
    columns.set(name, parameter.column)
    parameters.push(parameter)
    start += text.length + 1
  }
  return parameters
}

/** Reads a flag: true for a bare name, `true` or `1`, false for `false` or `0`. */
export function readJdbcFlag(parameter: Pick<JdbcParameter, 'value' | 'valueColumn'>): boolean {
  const word = (parameter.value ?? 'true').toLowerCase()
  if (word === 'true' || word === '1') return true
  if (word === 'false' || word === '0') return false
  throw jdbcUrlError(parameter.valueColumn, 'expected true or false')
}

function readParameter(piece: TextSpan): JdbcParameter {
  const equals = piece.text.indexOf('=')
  const name = equals < 0 ? piece.text : piece.text.slice(0, equals)
  if (!/^[a-z][a-z0-9_.-]*$/i.test(name)) {
    throw jdbcUrlError(piece.column, "expected name=value; in a value, write '&' as %26 and '%' as %25")
  }
  if (equals < 0) return { name, value: undefined, column: piece.column, valueColumn: piece.column }
  const value = pieceAfter(piece, equals + 1)
  return { name, value: value.text, column: piece.column, valueColumn: value.column }
}
