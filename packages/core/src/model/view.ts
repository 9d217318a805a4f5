import { type Endpoint, formatEndpoint, sameEndpoint } from '../address/endpoint.ts'

/** What we believe of one endpoint: `unknown` until a dial ended, then how the last one ended. */
export type Health = 'unknown' | 'up' | 'down'

/** One endpoint and what we believe of it. */
export interface Member {
  readonly endpoint: Endpoint
  readonly health: Health
  /** Clock time of the last change of health. */
  readonly sinceMs: number
  /** Failures since it was last up. */
  readonly failures: number
  readonly lastError: Error | undefined
}

/** What we believe of a cluster: immutable, in the order in which the endpoints were listed. */
export interface View {
  readonly members: readonly Member[]
  /** Why the addresses could not be had when they were last asked for; undefined when they could. */
  readonly addressesError: Error | undefined
}

/** Something that was seen. */
export type Fact =
  | { readonly kind: 'listed'; readonly endpoints: readonly Endpoint[]; readonly atMs: number }
  | { readonly kind: 'not-listed'; readonly error: Error }
  | { readonly kind: 'reached'; readonly endpoint: Endpoint; readonly atMs: number }
  | { readonly kind: 'failed'; readonly endpoint: Endpoint; readonly atMs: number; readonly error: Error }

/** The belief before anything was seen. */
export const emptyView: View = { members: [], addressesError: undefined }

/** Folds a fact into the view. The same object back means that there is no news. */
export function observe(view: View, fact: Fact): View {
  switch (fact.kind) {
    case 'listed':
      return listed(view, fact.endpoints, fact.atMs)
    case 'not-listed':
      return { ...view, addressesError: fact.error }
    case 'reached':
      return changed(view, fact.endpoint, (member) =>
        member.health === 'up'
          ? member
          : { ...member, health: 'up', sinceMs: fact.atMs, failures: 0, lastError: undefined },
      )
    case 'failed':
      return changed(view, fact.endpoint, (member) => ({
        ...member,
        health: 'down',
        sinceMs: fact.atMs,
        failures: member.failures + 1,
        lastError: fact.error,
      }))
  }
}

function listed(view: View, endpoints: readonly Endpoint[], atMs: number): View {
  const known = new Map(view.members.map((member) => [formatEndpoint(member.endpoint), member]))
  // A map keeps the first of two equal addresses: a resolver may well repeat one.
  const wanted = new Map(endpoints.map((endpoint) => [formatEndpoint(endpoint), endpoint]))
  const members = [...wanted].map(
    ([name, endpoint]): Member =>
      known.get(name) ?? { endpoint, health: 'unknown', sinceMs: atMs, failures: 0, lastError: undefined },
  )
  const same =
    view.addressesError === undefined &&
    members.length === view.members.length &&
    members.every((member, i) => member === view.members[i])
  return same ? view : { members, addressesError: undefined }
}

function changed(view: View, endpoint: Endpoint, change: (member: Member) => Member): View {
  const index = view.members.findIndex((member) => sameEndpoint(member.endpoint, endpoint))
  const member = view.members[index]
  if (member === undefined) return view
  const next = change(member)
  return next === member ? view : { ...view, members: view.members.with(index, next) }
}
