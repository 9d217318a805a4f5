import { HaError } from '../errors/ha-error.ts'

/** A piece of a JDBC URL, and the column at which it begins: columns count from 1, in what the user wrote. */
export interface TextSpan {
  readonly text: string
  readonly column: number
}

/** Turns what is written into what is meant. */
export type Decode = (piece: TextSpan) => string

/** What is wrong at a column of a JDBC URL, as `config-invalid`. Never give it a word of the URL: it may be a secret. */
export function jdbcUrlError(column: number, problem: string, cause?: unknown): HaError {
  return new HaError('config-invalid', `url, column ${column}: ${problem}`, { cause })
}

/** What stands after the first `length` characters. */
export function pieceAfter({ text, column }: TextSpan, length: number): TextSpan {
  return { text: text.slice(length), column: column + length }
}

/** The text with its `%` codes decoded. A `+` is a plus. */
export function percentDecoded(piece: TextSpan): string {
  try {
    return decodeURIComponent(piece.text)
  } catch (cause) {
    const wrong = piece.text.search(/%(?![0-9a-f]{2})/i)
    const column = piece.column + (wrong < 0 ? piece.text.indexOf('%') : wrong)
    throw jdbcUrlError(column, "expected UTF-8 in hexadecimal after '%'; a '%' itself is %25", cause)
  }
}

/** The text as it stands. */
export function literal(piece: TextSpan): string {
  return piece.text
}
