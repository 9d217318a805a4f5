import type {
  ConnectionEnding,
  ConnectionFilter,
  CutKind,
  RequestPosition,
  TextPattern,
  WaitAct,
} from '../../server/rules.ts'
import type { MatchWindow, WhenByte } from '../../server/script.ts'
import type { CommandName } from '../wire/command.ts'
import type { Value } from '../wire/value.ts'

/** One misbehaviour, as data: what it waits for and what happens then. */
export type Rule = CommandRule | ByteRule

/** A rule about commands. */
export type CommandRule = { readonly when: WhenCommand } & CommandAct

/** A rule about a place in the stream of bytes of a connection, wherever packets begin and end. */
export type ByteRule = { readonly when: WhenByte } & Ending

/** What a client does: it connects, it logs in, it sends a command. */
export type Deed = CommandName | 'connect' | 'log-in'

/** Matches what a client does. At least one of `command` and `sql` is given. */
export interface WhenCommand extends ConnectionFilter, MatchWindow {
  readonly command?: Deed
  /** A statement as it was sent, or a pattern; of one that was prepared, when it is prepared and when it is executed. */
  readonly sql?: TextPattern
}

/** What a rule about commands does. Everything on the same connection waits behind a command that waits. */
export type CommandAct =
  /** The server answers so and does not look at the command. */
  | { readonly do: 'answer'; readonly with: ScriptedAnswer }
  /** The server refuses. Before the greeting it has no SQLSTATE, and ends the connection. Default state `HY000`. */
  | { readonly do: 'refuse'; readonly errno: number; readonly sqlState?: string; readonly message?: string }
  | WaitAct
  | (Ending & { readonly at?: RequestPosition })

/** An answer as a test writes it: rows, or that it is done. */
export type ScriptedAnswer =
  | {
      readonly rows: readonly Readonly<Record<string, Value>>[]
      /** The names of the columns, in order. Default: those of the first row. */
      readonly columns?: readonly string[]
    }
  | { readonly affectedRows?: number; readonly insertId?: number }

/** The end of what a connection says. */
export type Ending = ConnectionEnding<CutHow>

/** How a connection is cut: by an RST, by a FIN, or by a FIN of the server's half while it still does what it is told. */
export type CutHow = CutKind
