import { type Endpoint, formatEndpoint, sameEndpoint } from '../address/endpoint.ts'

/**
 * The health of one endpoint: `unknown` before the first observation; `suspect` after a miss; `probation` when it was
 * down and has not been healthy for `probationMs` yet.
 */
export type Health = 'unknown' | 'up' | 'suspect' | 'down' | 'probation'

/** What is known of one endpoint. `R` is the status that a monitor reads from its server. */
export interface Member<R = unknown> {
  readonly endpoint: Endpoint
  readonly health: Health
  /** Clock time of the last change of health, or of the miss that restarted its probation. */
  readonly sinceMs: number
  /** Failures since it last answered. */
  readonly failures: number
  /** Clock time of the last failure that still counts against it; `-Infinity` when none does. */
  readonly failedAtMs: number
  readonly lastError: Error | undefined
  /** Whether it was ever `up`: only then does it go through `probation`. */
  readonly wasUp: boolean
  /** The last status read from its server; undefined before the first read. */
  readonly reading: R | undefined
  /** Clock time of that reading. */
  readonly readAtMs: number | undefined
}

/** The rules of changes of health. */
export interface HealthRules {
  /** The number of consecutive misses after which an endpoint is `down`. */
  readonly downAfter: number
  /** How long an endpoint that was down must answer before it is `up`, in milliseconds. */
  readonly probationMs: number
}

/** An observation of one endpoint. */
export type Observation<R = unknown> = { readonly atMs: number } & (
  | /** It answered, or accepted a connection; `error` is an answer that refused the request. */ {
      readonly kind: 'reached'
      readonly error?: Error | undefined
      /** Whether the answer says nothing of established connections: another server may have given it. */
      readonly isOnlyEndpoint?: boolean
    }
  | /** It answered with its status. */ { readonly kind: 'read'; readonly reading: R }
  | /** It did not answer in time. */ { readonly kind: 'missed'; readonly error: Error }
  | /** It is unreachable or refuses: no second check is needed. */ {
      readonly kind: 'failed'
      readonly error: Error
    }
  | /** An operation reported a failure. That alone does not change the health. */ {
      readonly kind: 'reported'
      readonly error: Error
    }
)

/** An endpoint before the first observation. */
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

/** Folds an observation into a member. Returns the same object when nothing changes. */
export function withObservation<R>(
  member: Member<R>,
  observation: Observation<R>,
  rules: HealthRules,
): Member<R> {
  switch (observation.kind) {
    case 'reached':
      return withRefusal(answered(member, observation.atMs, rules), observation.error)
    case 'read': {
      const { reading, atMs } = observation
      return withoutRefusal({ ...answered(member, atMs, rules), reading, readAtMs: atMs })
    }
    case 'missed':
      return missed(member, observation, rules)
    case 'failed':
      return withHealth(failed(member, observation), 'down', observation.atMs)
    case 'reported':
      return { ...member, failedAtMs: observation.atMs, lastError: observation.error }
  }
}

// An answer that is a refusal counts for health, and says why there is no reading.
function withRefusal<R>(member: Member<R>, error: Error | undefined): Member<R> {
  return error === undefined || member.lastError?.message === error.message
    ? member
    : { ...member, lastError: error }
}

function withoutRefusal<R>(member: Member<R>): Member<R> {
  const counts = member.failures > 0 || member.failedAtMs !== Number.NEGATIVE_INFINITY
  return counts || member.lastError === undefined ? member : { ...member, lastError: undefined }
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

/** What is known of a cluster: immutable, in the order in which the endpoints were listed. */
export interface View<R = unknown> {
  readonly members: readonly Member<R>[]
  /** Why the last request for the addresses failed; undefined when it succeeded. */
  readonly addressesError: Error | undefined
}

/** A fact about the cluster: the list of endpoints, or an {@link Observation} of one. */
export type Fact<R = unknown> =
  | { readonly kind: 'listed'; readonly endpoints: readonly Endpoint[]; readonly atMs: number }
  | { readonly kind: 'not-listed'; readonly error: Error }
  | (Observation<R> & { readonly endpoint: Endpoint })

/** The view before the first fact. */
export const emptyView: View<never> = { members: [], addressesError: undefined }

/** The last observation decides: right for a link, which tests an endpoint with the connection that it opens. */
export const trustLastObservation: HealthRules = { downAfter: 1, probationMs: 0 }

/** Folds a fact into the view. Returns the same object when nothing changes. */
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

/** The member of an endpoint; undefined when it is not listed. */
export function memberAt<R>(view: View<R>, endpoint: Endpoint): Member<R> | undefined {
  return view.members.find((member) => sameEndpoint(member.endpoint, endpoint))
}

function listed<R>(view: View<R>, endpoints: readonly Endpoint[], atMs: number): View<R> {
  const known = new Map(view.members.map((member) => [formatEndpoint(member.endpoint), member]))
  // The map keeps the first of two equal addresses: a resolver may repeat one.
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

/** What is known of one endpoint as plain data, for health pages, logs and tests. */
export interface MemberHealth {
  readonly endpoint: string
  readonly health: Health
  /** The time since the last change of health, in milliseconds. */
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
