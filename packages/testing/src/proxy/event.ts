import type { Endpoint } from '@ha/core'
import type { Door } from './door.ts'
import type { CutHow, Direction, Faults } from './fault.ts'
import type { Flow } from './flow.ts'

/** Something that happened at the proxy. `connection` is the id of the connection it happened to. */
export type ProxyEvent =
  /** A client was let in; the server is being dialled for it. */
  | { readonly kind: 'accepted'; readonly connection: number; readonly client: Endpoint }
  /** A client was let in only to be treated as the door says. */
  | { readonly kind: 'turned-away'; readonly door: Door; readonly client: Endpoint }
  /** The server accepted. */
  | { readonly kind: 'dialled'; readonly connection: number }
  /** The server could not be reached; the client is reset. */
  | { readonly kind: 'dial-failed'; readonly connection: number; readonly error: Error }
  | { readonly kind: 'first-byte'; readonly connection: number; readonly direction: Direction }
  /** The sender of this direction ended by itself: FIN or RST. */
  | {
      readonly kind: 'ended'
      readonly connection: number
      readonly direction: Direction
      readonly how: 'end' | 'reset'
    }
  /** A fault or a call of `cut` ended the connection, or one direction of it. */
  | {
      readonly kind: 'cut'
      readonly connection: number
      readonly how: CutHow
      readonly direction?: Direction
    }
  /** Both sockets are closed. */
  | { readonly kind: 'closed'; readonly connection: number; readonly up: Flow; readonly down: Flow }
  /** Faults were set; without `connection`, for all connections. */
  | { readonly kind: 'faults'; readonly connection?: number; readonly faults: Required<Faults> }
  | { readonly kind: 'door'; readonly door: Door }
