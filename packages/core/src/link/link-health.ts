import { formatEndpoint } from '../address/endpoint.ts'
import { type MemberHealth, memberHealth } from '../model/member-health.ts'
import type { View } from '../model/view.ts'
import type { DeclarationStatus, DesiredState } from '../session/ledger.ts'
import { endpointOf, type LinkState, type LinkStateKind, troubleOf } from './link-state.ts'

/** What a link believes and does, as plain data: for health pages, logs and tests. */
export interface LinkHealth {
  readonly name: string
  readonly state: LinkStateKind
  readonly endpoint: string | undefined
  readonly generation: number
  /** Why it has no connection, or why it is suspended, as far as that is known. */
  readonly reason: string | undefined
  readonly members: readonly MemberHealth[]
  /** Why the addresses could not be had when they were last asked for; the last good list is used meanwhile. */
  readonly addressesError: string | undefined
  readonly declarations: readonly DeclarationHealth[]
}

export interface DeclarationHealth {
  readonly key: string
  readonly standing: DeclarationStatus['kind']
  readonly error: string | undefined
}

export interface LinkFacts {
  readonly name: string
  readonly state: LinkState<unknown>
  readonly generation: number
  readonly view: View
  readonly ledger: Pick<DesiredState<never>, 'keys' | 'standing'>
}

/** The snapshot of a link at `nowMs`. */
export function linkHealth({ name, state, generation, view, ledger }: LinkFacts, nowMs: number): LinkHealth {
  const endpoint = endpointOf(state)
  return {
    name,
    state: state.kind,
    endpoint: endpoint && formatEndpoint(endpoint),
    generation,
    reason: reasonOf(state),
    members: view.members.map((member) => memberHealth(member, nowMs)),
    addressesError: view.addressesError?.message,
    declarations: ledger.keys().map((key) => declarationHealth(key, ledger.standing(key))),
  }
}

function reasonOf(state: LinkState<unknown>): string | undefined {
  return state.kind === 'suspended' ? state.reason : troubleOf(state)?.message
}

function declarationHealth(key: string, standing: DeclarationStatus | undefined): DeclarationHealth {
  const error = standing && 'error' in standing ? standing.error.message : undefined
  return { key, standing: standing?.kind ?? 'due', error }
}
