import type {
  ConnectionEnding,
  ConnectionFilter,
  CutKind,
  RequestPosition,
  TextPattern,
  WaitAct,
} from '../../server/rules.ts'
import type { MatchWindow, WhenByte } from '../../server/script.ts'
import type { OpName } from '../wire/op.ts'

/** One misbehaviour, as data: what it waits for and what happens then. */
export type Rule = RequestRule | ByteRule

/** A rule about requests. */
export type RequestRule = { readonly when: WhenRequest } & RequestAct

/** A rule about a place in the stream of bytes of a connection, wherever frames begin and end. */
export type ByteRule = { readonly when: WhenByte } & Ending

/** What a client does: its socket is accepted, it asks for a session, it sends a request. */
export type Deed = OpName | 'accept' | 'connect' | 'unknown'

/** Matches what a client does. At least one of `op`, `path` and `session` is given. */
export interface WhenRequest extends ConnectionFilter, MatchWindow {
  readonly op?: Deed | readonly Deed[]
  /** The path of the request, or a pattern; of a multi, that of any of its parts. */
  readonly path?: TextPattern
  readonly session?: bigint
}

/** What a rule about requests does. Everything on the same connection waits behind a request that waits. */
export type RequestAct =
  /** The server does not do it and answers this code, known or not. To `connect`: the session is over. */
  | { readonly do: 'refuse'; readonly code: number }
  /** Nobody is ever told, and what comes behind it goes on. It is done, or with `before` (default) not even that. */
  | { readonly do: 'ignore'; readonly at?: 'before' | 'unanswered' }
  | WaitAct
  /** The answer comes in pieces of so many bytes. */
  | { readonly do: 'slice'; readonly pieceBytes: number }
  /** The answer has another number than the request: so much more. */
  | { readonly do: 'misnumber'; readonly by: number }
  /** The client is told these bytes as well, before the answer (default) or behind it. */
  | { readonly do: 'inject'; readonly bytes: Uint8Array; readonly at?: 'before' | 'after' }
  | (Ending & { readonly at?: RequestPosition })

/** The end of what a connection says. */
export type Ending = ConnectionEnding<CutHow>

/** How a connection is cut: by an RST or by a FIN. */
export type CutHow = Exclude<CutKind, 'half'>
