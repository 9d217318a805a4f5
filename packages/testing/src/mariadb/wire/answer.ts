import type { Column } from './column.ts'
import type { Row } from './value.ts'

/** What a server says to a command: it is done, here is what you asked for, or no. */
export type Answer = OkAnswer | RowsAnswer | ErrorAnswer

/** The command is done. */
export interface OkAnswer {
  readonly kind: 'ok'
  readonly affectedRows: number
  /** The first value that an `AUTO_INCREMENT` gave, or 0. */
  readonly insertId: number
  /** How many warnings the server would list. */
  readonly warnings: number
  /** What has changed in the session, told to clients that asked for it. */
  readonly tracked: readonly Tracked[]
}

/** A result. */
export interface RowsAnswer {
  readonly kind: 'rows'
  readonly columns: readonly Column[]
  readonly rows: readonly Row[]
}

/** A refusal, in the words of the server. */
export interface ErrorAnswer {
  readonly kind: 'error'
  readonly errno: number
  /** Undefined: the error has none, as one that comes before the greeting. */
  readonly sqlState: string | undefined
  readonly message: string
}

/** A change of the session that an answer carries along. */
export type Tracked =
  | { readonly kind: 'variable'; readonly name: string; readonly value: string }
  | { readonly kind: 'schema'; readonly name: string }

/** The answer to a command that changed nothing. */
export const okAnswer: OkAnswer = { kind: 'ok', affectedRows: 0, insertId: 0, warnings: 0, tracked: [] }
