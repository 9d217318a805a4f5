import { type Endpoint, formatEndpoint, sameEndpoint } from '../address/endpoint.ts'

/**
 * What we believe of one endpoint: `unknown` until something was seen; `suspect` when it owes an answer; `probation`
 * when it was down and has not yet been healthy for long enough to be trusted.
 */
export type Health = 'unknown' | 'up' | 'suspect' | 'down' | 'probation'

/** One endpoint and what we believe of it. `R` is what its server says of itself. */
export interface Member<R = unknown> {
  readonly endpoint: Endpoint
  readonly health: Health
  /** Clock time of the last change of health, or of what made its probation begin anew. */
  readonly sinceMs: number
  /** Failures since it last answered. */
  readonly failures: number
  /** Clock time of the last failure that still counts against it; `-Infinity` when none does. */
  readonly failedAtMs: number
  readonly lastError: Error | undefined
  /** Whether it was ever up: only then does it have to prove itself again. */
  readonly wasUp: boolean
  /** What its server last said of itself; undefined when it was never asked. */
  readonly reading: R | undefined
  /** Clock time of that reading. */
  readonly readAtMs: number | undefined
}

/** When an endpoint changes its health. */
export interface HealthRules {
  /** So many unanswered questions in a row and it is down. */
  readonly downAfter: number
  /** For so long it must answer after it was down before it is up, in milliseconds. */
  readonly probationMs: number
}

/** Something that was seen of one endpoint. */
export type Observation<R = unknown> = { readonly atMs: number } & (
  | /** It answered. */ { readonly kind: 'reached' }
  | /** It answered, and said this of itself. */ { readonly kind: 'read'; readonly reading: R }
  | /** It gave no answer in time. */ { readonly kind: 'missed'; readonly error: Error }
  | /** It is gone, or refuses: that needs no second look. */ {
      readonly kind: 'failed'
      readonly error: Error
    }
  | /** A borrower says that it failed. That alone changes no health. */ {
      readonly kind: 'reported'
      readonly error: Error
    }
)

/** An endpoint of which nothing is known. */
export function unknownEndpoint<R>(endpoint: Endpoint, atMs: number): Member<R> {
  return {
    endpoint,
    health: 'unknown',
    sinceMs: atMs,
    failures: 0,
    failedAtMs: Number.NEGATIVE_INFINITY,
    lastError: undefined,
    wasUp: false,
    reading: undefined,
    readAtMs: undefined,
  }
}

/** Folds a sight into a member. The same object back means that there is no news. */
export function withObservation<R>(
  member: Member<R>,
  observation: Observation<R>,
  rules: HealthRules,
): Member<R> {
  switch (observation.kind) {
    case 'reached':
      return answered(member, observation.atMs, rules)
    case 'read': {
      const { reading, atMs } = observation
      return { ...answered(member, atMs, rules), reading, readAtMs: atMs }
    }
    case 'missed':
      return missed(member, observation, rules)
    case 'failed':
      return withHealth(failed(member, observation), 'down', observation.atMs)
    case 'reported':
      return { ...member, failedAtMs: observation.atMs, lastError: observation.error }
  }
}

function answered<R>(member: Member<R>, atMs: number, { probationMs }: HealthRules): Member<R> {
  switch (member.health) {
    case 'up':
      return member
    case 'unknown':
    case 'suspect':
      return { ...withHealth(withoutFailures(member), 'up', atMs), wasUp: true }
    case 'down':
      if (member.wasUp && probationMs > 0) return withHealth(withoutFailures(member), 'probation', atMs)
      return { ...withHealth(withoutFailures(member), 'up', atMs), wasUp: true }
    case 'probation':
      if (atMs - member.sinceMs >= probationMs) return withHealth(withoutFailures(member), 'up', atMs)
      return member.failures === 0 ? member : withoutFailures(member)
  }
}

function missed<R>(member: Member<R>, observation: Failure, { downAfter }: HealthRules): Member<R> {
  const next = failed(member, observation)
  if (next.failures >= downAfter) return withHealth(next, 'down', observation.atMs)
  if (member.health === 'up') return withHealth(next, 'suspect', observation.atMs)
  return member.health === 'probation' ? { ...next, sinceMs: observation.atMs } : next
}

interface Failure {
  readonly atMs: number
  readonly error: Error
}

function failed<R>(member: Member<R>, { atMs, error }: Failure): Member<R> {
  return { ...member, failures: member.failures + 1, failedAtMs: atMs, lastError: error }
}

function withoutFailures<R>(member: Member<R>): Member<R> {
  return { ...member, failures: 0, failedAtMs: Number.NEGATIVE_INFINITY, lastError: undefined }
}

function withHealth<R>(member: Member<R>, health: Health, atMs: number): Member<R> {
  return health === member.health ? member : { ...member, health, sinceMs: atMs }
}

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
    case 'reported':
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

/** What is believed of one endpoint, as plain data: for health pages, logs and tests. */
export interface MemberHealth {
  readonly endpoint: string
  readonly health: Health
  /** How long it has been so, in milliseconds. */
  readonly forMs: number
  readonly failures: number
  readonly lastError: string | undefined
}

/** The snapshot of a member at `nowMs`. */
export function memberHealth(member: Member, nowMs: number): MemberHealth {
  const { health, failures, lastError } = member
  return {
    endpoint: formatEndpoint(member.endpoint),
    health,
    forMs: Math.round(nowMs - member.sinceMs),
    failures,
    lastError: lastError?.message,
  }
}
