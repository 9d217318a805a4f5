import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import {
  type Health,
  type Member,
  type MemberHealth,
  memberHealth,
  type View,
} from '../cluster/cluster-view.ts'
import { coreChannels } from '../util/channels.ts'
import { Emitter } from '../util/emitter.ts'
import type { EndpointPool } from './endpoint-pool.ts'
import type { HostLoad } from './routing.ts'

/** An endpoint is believed to be in another state than before. */
export interface HostChange {
  readonly endpoint: string
  readonly from: Health
  readonly to: Health
  /** The last failure, when that is the reason. */
  readonly error: Error | undefined
}

/** All connections to an endpoint ended at once, because it went down, left the list, or the pool was closed. */
export interface GenerationOver {
  readonly endpoint: string
  readonly generation: number
  /** How many of them somebody had borrowed. */
  readonly borrowed: number
  readonly idle: number
  readonly error: Error
}

/** An acquire was turned away, or gave up waiting, while every connection was in use. */
export interface Exhaustion {
  readonly endpoint: string
  readonly error: Error
}

/** A lease is held for longer than `leakAfterMs`. */
export interface Leak {
  readonly endpoint: string
  readonly heldMs: number
  /** Where it was borrowed. */
  readonly stack: string
}

/** Somebody who holds a connection waits for another one from the same endpoint: enough of them wait for ever. */
export interface NestedAcquire {
  readonly endpoint: string
  readonly stack: string
}

export type PoolEvents = {
  readonly host: HostChange
  readonly generationOver: GenerationOver
  /** Told once, until a lease is given back. */
  readonly exhausted: Exhaustion
  /** Told once for each lease. */
  readonly leak: Leak
  /** Told once. */
  readonly nested: NestedAcquire
}

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

type Figures = Pick<EndpointPool<unknown>, 'load' | 'generation' | 'idle' | 'connecting'>

interface PoolFacts<R> {
  readonly name: string
  readonly state: PoolStateKind
  readonly view: View<R>
  readonly pool: (endpoint: Endpoint) => Figures | undefined
}

/** The snapshot of a pool at `nowMs`. */
export function poolHealth<R>({ name, state, view, pool: host }: PoolFacts<R>, nowMs: number): PoolHealth<R> {
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

/** Tells what happens to a pool: as its events, and on the diagnostics channels while somebody listens there. */
export class PoolReporter {
  readonly #pool: string
  readonly events: Emitter<PoolEvents> = new Emitter<PoolEvents>()
  #nestedReported = false

  constructor(pool: string) {
    this.#pool = pool
  }

  hostChanged(before: Member, now: Member): void {
    const change = {
      endpoint: formatEndpoint(now.endpoint),
      from: before.health,
      to: now.health,
      error: now.lastError,
    }
    if (coreChannels.poolHost.hasSubscribers) coreChannels.poolHost.publish({ pool: this.#pool, ...change })
    this.events.emit('host', change)
  }

  generationBegun(endpoint: string, generation: number): void {
    if (coreChannels.poolGeneration.hasSubscribers)
      coreChannels.poolGeneration.publish({ pool: this.#pool, endpoint, generation, error: undefined })
  }

  generationOver(over: GenerationOver): void {
    const { endpoint, generation, error } = over
    if (coreChannels.poolGeneration.hasSubscribers)
      coreChannels.poolGeneration.publish({ pool: this.#pool, endpoint, generation, error })
    this.events.emit('generationOver', over)
  }

  exhausted(endpoint: string, error: Error): void {
    const exhaustion = { endpoint, error }
    if (coreChannels.poolExhausted.hasSubscribers)
      coreChannels.poolExhausted.publish({ pool: this.#pool, ...exhaustion })
    this.events.emit('exhausted', exhaustion)
  }

  leak(leak: Leak): void {
    this.events.emit('leak', leak)
  }

  /** Once: those who do it do it always. */
  nested(endpoint: string): void {
    if (this.#nestedReported) return
    this.#nestedReported = true
    this.events.emit('nested', { endpoint, stack: callStack() })
  }
}

// V8 keeps 10 frames, which the pool and the client above it use up before the caller's own is reached.
const maxFrames = 40

/** Where in the program we are: the frames of the stack, 40 at most, in one line. */
export function callStack(): string {
  const usual = Error.stackTraceLimit
  Error.stackTraceLimit = maxFrames
  const { stack = '' } = new Error('here')
  Error.stackTraceLimit = usual
  const [, ...frames] = stack.split('\n')
  return frames.map((frame) => frame.trim()).join(' ')
}
