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
import type { HostLoad } from './routing.ts'

/** The health of an endpoint has changed. */
export interface HostChange {
  readonly endpoint: string
  readonly from: Health
  readonly to: Health
  /** The last failure, when that is the reason of the change. */
  readonly error: Error | undefined
}

/** All connections to an endpoint ended at once, because it went down, left the list, or the pool was closed. */
export interface GenerationOver {
  readonly endpoint: string
  readonly generation: number
  /** How many of them were checked out. */
  readonly borrowed: number
  readonly idle: number
  readonly error: Error
}

/** An acquire was rejected, or gave up waiting, while every connection was in use. */
export interface Exhaustion {
  readonly endpoint: string
  readonly error: Error
}

/** A lease has been held for longer than `leakAfterMs`. */
export interface Leak {
  readonly endpoint: string
  readonly heldMs: number
  /** The call stack of the acquire. */
  readonly stack: string
}

/** A caller that holds a connection waits for another one of the same endpoint: enough of them deadlock. */
export interface NestedAcquire {
  readonly endpoint: string
  readonly stack: string
}

export type PoolEvents = {
  readonly host: HostChange
  readonly generationOver: GenerationOver
  /** Emitted once per exhaustion; re-armed by the next release. */
  readonly exhausted: Exhaustion
  /** Emitted once for each lease. */
  readonly leak: Leak
  /** Emitted once for each pool. */
  readonly nested: NestedAcquire
}

/** The state of a pool as plain data, for health pages, logs and tests. */
export interface PoolHealth<R> {
  readonly name: string
  readonly state: PoolStateKind
  readonly hosts: readonly HostHealth<R>[]
  /** Why the last request for the addresses failed; the last good list is used meanwhile. */
  readonly addressesError: string | undefined
}

/** The phase of a pool. */
export type PoolStateKind = 'idle' | 'open' | 'draining' | 'closed'

/** One endpoint of a pool. */
export interface HostHealth<R> extends MemberHealth, HostLoad {
  /** How many times it has become usable. */
  readonly generation: number
  readonly idle: number
  /** Connections that are being opened. */
  readonly connecting: number
  /** What the monitor last read from the server. */
  readonly reading: R | undefined
  /** The age of the reading, in milliseconds. */
  readonly readForMs: number | undefined
}

interface EndpointPoolFigures {
  readonly generation: number
  readonly idle: number
  readonly connecting: number
  load(): HostLoad
}

interface PoolFacts<R> {
  readonly name: string
  readonly state: PoolStateKind
  readonly view: View<R>
  readonly pool: (endpoint: Endpoint) => EndpointPoolFigures | undefined
}

/** The snapshot of a pool at `nowMs`. */
export function poolHealth<R>({ name, state, view, pool }: PoolFacts<R>, nowMs: number): PoolHealth<R> {
  return {
    name,
    state,
    hosts: view.members.map((member) => hostHealth(member, pool(member.endpoint), nowMs)),
    addressesError: view.addressesError?.message,
  }
}

function hostHealth<R>(
  member: Member<R>,
  pool: EndpointPoolFigures | undefined,
  nowMs: number,
): HostHealth<R> {
  const { reading, readAtMs } = member
  return {
    ...memberHealth(member, nowMs),
    ...(pool?.load() ?? { inUse: 0, waiting: 0, free: 0 }),
    generation: pool?.generation ?? 0,
    idle: pool?.idle ?? 0,
    connecting: pool?.connecting ?? 0,
    reading,
    readForMs: readAtMs === undefined ? undefined : Math.round(nowMs - readAtMs),
  }
}

/** Reports what happens to a pool: as events, and on the diagnostics channels when they have subscribers. */
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

  /** Reported once: code that nests acquires does so on every call. */
  nested(endpoint: string): void {
    if (this.#nestedReported) return
    this.#nestedReported = true
    this.events.emit('nested', { endpoint, stack: callStack() })
  }
}

// V8 keeps 10 frames by default; the pool and the client above it use them up before the caller's frame is reached.
const maxFrames = 40

/** The current call stack in one line, at most 40 frames. */
export function callStack(): string {
  const usual = Error.stackTraceLimit
  Error.stackTraceLimit = maxFrames
  const { stack = '' } = new Error('here')
  Error.stackTraceLimit = usual
  const [, ...frames] = stack.split('\n')
  return frames.map((frame) => frame.trim()).join(' ')
}
