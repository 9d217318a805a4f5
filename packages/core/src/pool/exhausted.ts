import { HaError } from '../errors/ha-error.ts'
import type { Loan } from './loans.ts'

/** What there is to say of a host whose connections are all in use. */
export interface Usage {
  /** `host:port`. */
  readonly endpoint: string
  readonly max: number
  /** The oldest first. */
  readonly lent: readonly Pick<Loan<unknown>, 'sinceMs' | 'stack'>[]
  readonly waiting: number
  readonly connecting: number
  readonly nowMs: number
}

/** Nobody can borrow there: says who holds the connections, for how long, and who else waits. */
export function exhausted(usage: Usage, why: string): HaError {
  const { endpoint } = usage
  return new HaError('exhausted', `${why}: ${told(usage)}`, { endpoint, retryable: true })
}

function told({ endpoint, max, lent, waiting, connecting, nowMs }: Usage): string {
  const [oldest] = lent
  const parts = [`${lent.length} of ${max} connections to ${endpoint} are in use`]
  if (oldest !== undefined) parts.push(`the oldest for ${Math.round(nowMs - oldest.sinceMs)} ms`)
  parts.push(`${waiting} wait`, `${connecting} are being made`)
  const borrowedAt = oldest?.stack === undefined ? '' : `; the oldest was borrowed ${oldest.stack}`
  return parts.join(', ') + borrowedAt
}
