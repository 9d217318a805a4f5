import type { RecordedEvent } from './events.ts'
import type { FaultRequest } from './faults.ts'

/**
 * What a client asks a supervisor: one line of JSON, one request for each connection. An earlier supervisor may serve
 * a later client, so verbs keep their names.
 */
export type ControlRequest =
  | { readonly verb: 'status' }
  /** Sends every event of the journal, then waits until the lab has formed or failed. */
  | { readonly verb: 'formed' }
  /** Sends every event of the journal and new ones, until the client leaves. */
  | { readonly verb: 'follow' }
  /** Sends new events until all members agree; the next two do so until the node is back. */
  | { readonly verb: 'ready'; readonly timeoutMs: number }
  | { readonly verb: 'resume'; readonly node: string }
  | { readonly verb: 'restart'; readonly node: string }
  | ({ readonly verb: 'fault' } & FaultRequest)
  /** Reports how a stopped cluster would be recovered; the next request does it. */
  | { readonly verb: 'consider'; readonly assumeLost: readonly string[] }
  | { readonly verb: 'recover'; readonly assumeLost: readonly string[] }
  /** Starts every node of a lab that is down, with its data; sends new events until all members agree. */
  | { readonly verb: 'bring-back'; readonly timeoutMs: number }
  | { readonly verb: 'down' }

/** What a supervisor sends back: events, then one result or one error. */
export type ControlReply =
  | { readonly event: RecordedEvent }
  | { readonly result: unknown }
  | { readonly error: { readonly code: string; readonly message: string } }
