import { type Endpoint, formatEndpoint, sameEndpoint } from '../address/endpoint.ts'
import {
  type HealthRules,
  type Member,
  type Observation,
  unknownEndpoint,
  withObservation,
} from './member.ts'

/** What we believe of a cluster: immutable, in the order in which the endpoints were listed. */
export interface View<R = unknown> {
  readonly members: readonly Member<R>[]
  /** Why the addresses could not be had when they were last asked for; undefined when they could. */
  readonly addressesError: Error | undefined
}

/** Something that was seen: what is listed, or a {@link Observation} of one endpoint. */
export type Fact<R = unknown> =
  | { readonly kind: 'listed'; readonly endpoints: readonly Endpoint[]; readonly atMs: number }
  | { readonly kind: 'not-listed'; readonly error: Error }
  | (Observation<R> & { readonly endpoint: Endpoint })

/** The belief before anything was seen. */
export const emptyView: View<never> = { members: [], addressesError: undefined }

/** Believes the last sight: right for whoever only dials, and proves an endpoint by the connection that it makes. */
export const trustLastObservation: HealthRules = { downAfter: 1, probationMs: 0 }

/** Folds a fact into the view. The same object back means that there is no news. */
export function observe<R>(view: View<R>, fact: Fact<R>, rules: HealthRules = trustLastObservation): View<R> {
  switch (fact.kind) {
    case 'listed':
      return listed(view, fact.endpoints, fact.atMs)
    case 'not-listed':
      return { ...view, addressesError: fact.error }
    case 'reached':
    case 'read':
    case 'missed':
    case 'failed':
    case 'blamed':
      return changed(view, fact.endpoint, (member) => withObservation(member, fact, rules))
  }
}

/** What is believed of one endpoint; undefined when it is not listed. */
export function memberAt<R>(view: View<R>, endpoint: Endpoint): Member<R> | undefined {
  return view.members.find((member) => sameEndpoint(member.endpoint, endpoint))
}

function listed<R>(view: View<R>, endpoints: readonly Endpoint[], atMs: number): View<R> {
  const known = new Map(view.members.map((member) => [formatEndpoint(member.endpoint), member]))
  // A map keeps the first of two equal addresses: a resolver may well repeat one.
  const wanted = new Map(endpoints.map((endpoint) => [formatEndpoint(endpoint), endpoint]))
  const members = [...wanted].map(([name, endpoint]) => known.get(name) ?? unknownEndpoint<R>(endpoint, atMs))
  const same =
    view.addressesError === undefined &&
    members.length === view.members.length &&
    members.every((member, i) => member === view.members[i])
  return same ? view : { members, addressesError: undefined }
}

function changed<R>(view: View<R>, endpoint: Endpoint, change: (member: Member<R>) => Member<R>): View<R> {
  const index = view.members.findIndex((member) => sameEndpoint(member.endpoint, endpoint))
  const member = view.members[index]
  if (member === undefined) return view
  const next = change(member)
  return next === member ? view : { ...view, members: view.members.with(index, next) }
}
