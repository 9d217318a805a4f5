import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import { type MemberHealth, memberHealth, type View } from '../cluster/cluster-view.ts'
import type { DeclarationStatus, DesiredState } from '../desired-state.ts'
import { HaError, isHaError } from '../errors/ha-error.ts'
import type { Lease } from '../lease.ts'
import { coreChannels } from '../util/channels.ts'
import { Emitter, type Events } from '../util/emitter.ts'

/** The state of a link. Only `transition` makes the next one. */
export type LinkState<C> =
  | { readonly kind: 'idle' }
  /** Dialling; `lastError` says why the round before failed. */
  | { readonly kind: 'dialing'; readonly round: number; readonly lastError: HaError | undefined }
  /** Connected; the declarations that gate traffic are being applied. */
  | { readonly kind: 'restoring'; readonly lease: Lease<C> }
  | { readonly kind: 'ready'; readonly lease: Lease<C> }
  /** Connected, but the server asked the client to pause. */
  | { readonly kind: 'suspended'; readonly lease: Lease<C>; readonly reason: string }
  /** Every endpoint failed; the next round begins after `delayMs`. */
  | { readonly kind: 'waiting'; readonly round: number; readonly delayMs: number; readonly error: HaError }
  | { readonly kind: 'closed' }

export type LinkStateKind = LinkState<unknown>['kind']

const transitions: Readonly<Record<LinkStateKind, readonly LinkStateKind[]>> = {
  idle: ['dialing', 'closed'],
  dialing: ['dialing', 'restoring', 'ready', 'suspended', 'waiting', 'closed'],
  restoring: ['ready', 'suspended', 'dialing', 'closed'],
  ready: ['suspended', 'restoring', 'dialing', 'closed'],
  suspended: ['restoring', 'ready', 'dialing', 'closed'],
  waiting: ['dialing', 'closed'],
  closed: [],
}

/** The next state; throws `internal` for a transition that is not in the table. */
export function transition<C>(from: LinkState<C>, to: LinkState<C>): LinkState<C> {
  if (transitions[from.kind].includes(to.kind)) return to
  throw new HaError('internal', `a link cannot go from ${from.kind} to ${to.kind}`)
}

/** Why there is no connection, as far as that is known. */
export function unavailableReasonOf(state: LinkState<unknown>): HaError | undefined {
  if (state.kind === 'waiting') return state.error
  return state.kind === 'dialing' ? state.lastError : undefined
}

/** The endpoint of the connection, if there is one. */
function endpointOf(state: LinkState<unknown>): Endpoint | undefined {
  return leaseOf(state)?.endpoint
}

/** The lease of a state that has one. */
export function leaseOf<C>(state: LinkState<C>): Lease<C> | undefined {
  return 'lease' in state ? state.lease : undefined
}

/** The state in which a link begins to dial. */
export const firstDial = { kind: 'dialing', round: 0, lastError: undefined } as const

/** How a connection ended. */
export interface Loss {
  readonly endpoint: string
  readonly generation: number
  /** Why: `failed-back` when the move was planned, `internal` after a defect of this library. */
  readonly error: Error
  /** How long the server had been quiet before it was declared unresponsive, in milliseconds; 0 when the end was reported. */
  readonly detectMs: number
}

/** From one connection to the next. */
export interface Failover extends Loss {
  readonly to: string
  /** From the loss to the next completed handshake, in milliseconds. */
  readonly dialMs: number
  /** From the handshake until all declarations that gate traffic hold again, in milliseconds. */
  readonly restoreMs: number
}

export type LinkEvents<C> = {
  readonly state: LinkState<C>
  /** A connection was lost. A planned move is no loss: it emits only `failover`. */
  readonly lost: Loss
  readonly failover: Failover
  /**
   * The server refused a declaration: it is tried again with growing delay, at most once a minute. Emitted once;
   * re-armed when the declaration holds.
   */
  readonly refused: { readonly key: string; readonly error: HaError }
}

/** A failover of a link, as the clients report it. */
export interface FailoverEvent extends Pick<Failover, 'to' | 'error' | 'detectMs' | 'dialMs' | 'restoreMs'> {
  /** The endpoint of the connection before, as `host:port`. */
  readonly from: string
  /** The code of the error that ended that connection. */
  readonly cause: string
}

/** Calls `listener` for each failover of a link; the returned function ends that. */
export function failoverEvents<C>(
  link: { readonly events: Events<LinkEvents<C>> },
  listener: (event: FailoverEvent) => void,
): () => void {
  return link.events.on('failover', ({ endpoint, to, error, detectMs, dialMs, restoreMs }) => {
    const cause = isHaError(error) ? error.code : 'lost'
    return listener({ from: endpoint, to, cause, error, detectMs, dialMs, restoreMs })
  })
}

/** The state of a link as plain data, for health pages, logs and tests. */
export interface LinkHealth {
  readonly name: string
  readonly state: LinkStateKind
  readonly endpoint: string | undefined
  readonly generation: number
  /** Why there is no connection, or why it is suspended, as far as that is known. */
  readonly reason: string | undefined
  readonly members: readonly MemberHealth[]
  /** Why the last request for the addresses failed; the last good list is used meanwhile. */
  readonly addressesError: string | undefined
  readonly declarations: readonly DeclarationHealth[]
}

export interface DeclarationHealth {
  readonly key: string
  readonly standing: DeclarationStatus['kind']
  readonly error: string | undefined
}

interface LinkFacts {
  readonly name: string
  readonly state: LinkState<unknown>
  readonly generation: number
  readonly view: View
  readonly desiredState: Pick<DesiredState<never>, 'keys' | 'status'>
  readonly unavailableReason: HaError | undefined
}

/** The snapshot of a link at `nowMs`. */
export function linkHealth(
  { name, state, generation, view, desiredState, unavailableReason }: LinkFacts,
  nowMs: number,
): LinkHealth {
  const endpoint = endpointOf(state)
  return {
    name,
    state: state.kind,
    endpoint: endpoint && formatEndpoint(endpoint),
    generation,
    reason: state.kind === 'suspended' ? state.reason : unavailableReason?.message,
    members: view.members.map((member) => memberHealth(member, nowMs)),
    addressesError: view.addressesError?.message,
    declarations: desiredState.keys().map((key) => declarationHealth(key, desiredState.status(key))),
  }
}

function declarationHealth(key: string, status: DeclarationStatus | undefined): DeclarationHealth {
  const error = status && 'error' in status ? status.error.message : undefined
  return { key, standing: status?.kind ?? 'due', error }
}

/** Reports what happens to a link: as events, and on the diagnostics channels when they have subscribers. */
export class LinkReporter<C> {
  readonly #link: string
  readonly events: Emitter<LinkEvents<C>> = new Emitter<LinkEvents<C>>()

  constructor(link: string) {
    this.#link = link
  }

  state(state: LinkState<C>, generation: number): void {
    if (coreChannels.linkState.hasSubscribers) {
      const at = endpointOf(state)
      const endpoint = at === undefined ? undefined : formatEndpoint(at)
      coreChannels.linkState.publish({ link: this.#link, state: state.kind, endpoint, generation })
    }
    this.events.emit('state', state)
  }

  lost(loss: Loss): void {
    if (coreChannels.linkLost.hasSubscribers) coreChannels.linkLost.publish({ link: this.#link, ...loss })
    this.events.emit('lost', loss)
  }

  failover(failover: Failover): void {
    if (coreChannels.linkFailover.hasSubscribers)
      coreChannels.linkFailover.publish({ link: this.#link, ...failover })
    this.events.emit('failover', failover)
  }

  refused(key: string, error: HaError): void {
    this.events.emit('refused', { key, error })
  }
}
