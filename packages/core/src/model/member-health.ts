import { formatEndpoint } from '../address/endpoint.ts'
import type { Health, Member } from './member.ts'

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
