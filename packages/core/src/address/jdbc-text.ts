import { HaError } from '../errors/ha-error.ts'

/** A part of a JDBC URL and the column at which it begins, counted from 1 in the input of the user. */
export interface TextSpan {
  readonly text: string
  readonly column: number
}

/** Decodes a part of the URL. */
export type Decode = (piece: TextSpan) => string

/** The `config-invalid` error for a column of a JDBC URL. The problem must not repeat the URL: it may contain a secret. */
export function jdbcUrlError(column: number, problem: string, cause?: unknown): HaError {
  return new HaError('config-invalid', `url, column ${column}: ${problem}`, { cause })
}

/** The rest after the first `length` characters. */
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

/** The text without decoding. */
export function literal(piece: TextSpan): string {
  return piece.text
}
