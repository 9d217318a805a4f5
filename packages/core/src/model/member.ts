import type { Endpoint } from '../address/endpoint.ts'

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
  readonly proven: boolean
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
      readonly kind: 'blamed'
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
    proven: false,
    reading: undefined,
    readAtMs: undefined,
  }
}

/** Folds a sight into a member. The same object back means that there is no news. */
export function withObservation<R>(member: Member<R>, sight: Observation<R>, rules: HealthRules): Member<R> {
  switch (sight.kind) {
    case 'reached':
      return answered(member, sight.atMs, rules)
    case 'read': {
      const { reading, atMs } = sight
      return { ...answered(member, atMs, rules), reading, readAtMs: atMs }
    }
    case 'missed':
      return missed(member, sight, rules)
    case 'failed':
      return turned(failed(member, sight), 'down', sight.atMs)
    case 'blamed':
      return { ...member, failedAtMs: sight.atMs, lastError: sight.error }
  }
}

function answered<R>(member: Member<R>, atMs: number, { probationMs }: HealthRules): Member<R> {
  switch (member.health) {
    case 'up':
      return member
    case 'unknown':
    case 'suspect':
      return { ...turned(forgiven(member), 'up', atMs), proven: true }
    case 'down':
      if (member.proven && probationMs > 0) return turned(forgiven(member), 'probation', atMs)
      return { ...turned(forgiven(member), 'up', atMs), proven: true }
    case 'probation':
      if (atMs - member.sinceMs >= probationMs) return turned(forgiven(member), 'up', atMs)
      return member.failures === 0 ? member : forgiven(member)
  }
}

function missed<R>(member: Member<R>, sight: Failing, { downAfter }: HealthRules): Member<R> {
  const next = failed(member, sight)
  if (next.failures >= downAfter) return turned(next, 'down', sight.atMs)
  if (member.health === 'up') return turned(next, 'suspect', sight.atMs)
  return member.health === 'probation' ? { ...next, sinceMs: sight.atMs } : next
}

interface Failing {
  readonly atMs: number
  readonly error: Error
}

function failed<R>(member: Member<R>, { atMs, error }: Failing): Member<R> {
  return { ...member, failures: member.failures + 1, failedAtMs: atMs, lastError: error }
}

function forgiven<R>(member: Member<R>): Member<R> {
  return { ...member, failures: 0, failedAtMs: Number.NEGATIVE_INFINITY, lastError: undefined }
}

function turned<R>(member: Member<R>, health: Health, atMs: number): Member<R> {
  return health === member.health ? member : { ...member, health, sinceMs: atMs }
}
