import type { Endpoint } from '../address/endpoint.ts'
import type { Member } from '../model/member.ts'
import { type MemberHealth, memberHealth } from '../model/member-health.ts'
import type { View } from '../model/view.ts'
import type { Host } from './host.ts'
import type { HostLoad } from './route.ts'

/** What a pool believes and does, as plain data: for health pages, logs and tests. */
export interface PoolHealth<R> {
  readonly name: string
  readonly state: PoolStateKind
  readonly hosts: readonly HostHealth<R>[]
  /** Why the addresses could not be had when they were last asked for; the last good list is used meanwhile. */
  readonly addressesError: string | undefined
}

/** Where a pool is in its life. */
export type PoolStateKind = 'idle' | 'open' | 'draining' | 'closed'

/** One endpoint of a pool. */
export interface HostHealth<R> extends MemberHealth, HostLoad {
  /** How many times it has become usable. */
  readonly generation: number
  readonly idle: number
  /** Connections that are being made. */
  readonly connecting: number
  /** What the server last said of itself. */
  readonly reading: R | undefined
  /** How long ago it said that, in milliseconds. */
  readonly readForMs: number | undefined
}

type Figures = Pick<Host<unknown>, 'load' | 'generation' | 'idle' | 'connecting'>

export interface PoolFacts<R> {
  readonly name: string
  readonly state: PoolStateKind
  readonly view: View<R>
  readonly host: (endpoint: Endpoint) => Figures | undefined
}

/** The snapshot of a pool at `nowMs`. */
export function poolHealth<R>({ name, state, view, host }: PoolFacts<R>, nowMs: number): PoolHealth<R> {
  return {
    name,
    state,
    hosts: view.members.map((member) => hostHealth(member, host(member.endpoint), nowMs)),
    addressesError: view.addressesError?.message,
  }
}

function hostHealth<R>(member: Member<R>, host: Figures | undefined, nowMs: number): HostHealth<R> {
  const { reading, readAtMs } = member
  return {
    ...memberHealth(member, nowMs),
    ...(host?.load() ?? { inUse: 0, waiting: 0, free: 0 }),
    generation: host?.generation ?? 0,
    idle: host?.idle ?? 0,
    connecting: host?.connecting ?? 0,
    reading,
    readForMs: readAtMs === undefined ? undefined : Math.round(nowMs - readAtMs),
  }
}
