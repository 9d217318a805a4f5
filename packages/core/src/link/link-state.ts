import type { Endpoint } from '../address/endpoint.ts'
import { HaError } from '../errors/ha-error.ts'
import type { Lease } from '../source.ts'

/** Where a link is in its life. Only {@link moved} makes the next one. */
export type LinkState<C> =
  | { readonly kind: 'idle' }
  /** Dialling one endpoint after the other; `trouble` says why the round before failed. */
  | { readonly kind: 'dialing'; readonly round: number; readonly trouble: HaError | undefined }
  /** Connected; what traffic waits for is being put back. */
  | { readonly kind: 'restoring'; readonly lease: Lease<C> }
  | { readonly kind: 'ready'; readonly lease: Lease<C> }
  /** Connected, but the server asks us to wait. */
  | { readonly kind: 'suspended'; readonly lease: Lease<C>; readonly reason: string }
  /** Every endpoint failed; the next round begins after `delayMs`. */
  | { readonly kind: 'waiting'; readonly round: number; readonly delayMs: number; readonly error: HaError }
  | { readonly kind: 'closed' }

export type LinkStateKind = LinkState<unknown>['kind']

const legal: Readonly<Record<LinkStateKind, readonly LinkStateKind[]>> = {
  idle: ['dialing', 'closed'],
  dialing: ['dialing', 'restoring', 'ready', 'suspended', 'waiting', 'closed'],
  restoring: ['ready', 'suspended', 'dialing', 'closed'],
  ready: ['suspended', 'restoring', 'dialing', 'closed'],
  suspended: ['restoring', 'ready', 'dialing', 'closed'],
  waiting: ['dialing', 'closed'],
  closed: [],
}

/** The next state; throws `internal` on a move that the table does not know. */
export function moved<C>(from: LinkState<C>, to: LinkState<C>): LinkState<C> {
  if (legal[from.kind].includes(to.kind)) return to
  throw new HaError('internal', `a link cannot go from ${from.kind} to ${to.kind}`)
}

/** Why a state has no connection, as far as that is known. */
export function troubleOf(state: LinkState<unknown>): HaError | undefined {
  if (state.kind === 'waiting') return state.error
  return state.kind === 'dialing' ? state.trouble : undefined
}

/** The endpoint that a state is connected to, if it is. */
export function endpointOf(state: LinkState<unknown>): Endpoint | undefined {
  return leaseOf(state)?.endpoint
}

/** The lease of a state that has one. */
export function leaseOf<C>(state: LinkState<C>): Lease<C> | undefined {
  return 'lease' in state ? state.lease : undefined
}

/** How a link begins to dial. */
export const firstRound = { kind: 'dialing', round: 0, trouble: undefined } as const
