import {
  type Clock,
  type Driver,
  type EndpointSource,
  type FullJitter,
  HaError,
  isHaError,
  Link,
} from '@ha/core'
import { EndpointRegistry, runWithin, type WaitFailure } from '@ha/core/driver'
import type { Role } from './client-events.ts'
import type { AmqpConnection } from './driver/connection.ts'
import { topologyConflict } from './errors.ts'
import type { ResolvedOptions } from './options.ts'
import { lastFailure, whenSettled } from './topology/declare.ts'

/** The two connections of a client. Each has its own failover; both share what is known of the nodes. */
export type Links = Readonly<Record<Role, Link<AmqpConnection>>>

interface LinksDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly driver: Driver<AmqpConnection>
  readonly addresses: EndpointSource
  /** Waits for unfinished work before a planned move. */
  readonly beforeMove: (role: Role) => Promise<void>
}

// A queue that is available again is consumed again within a second.
const restoreBackoff: FullJitter = { baseMs: 50, maxMs: 1_000 }

// After a failure, a node is tried after the others for as long as a restart takes.
const penaltyMs = 30_000

/** Creates both links. Each connects when it is first needed. */
export function createLinks(options: ResolvedOptions, deps: LinksDeps): Links {
  const registry = new EndpointRegistry(deps.clock, deps.addresses)
  return {
    publish: createLink('publish', options, deps, registry),
    consume: createLink('consume', options, deps, registry),
  }
}

function createLink(
  role: Role,
  options: ResolvedOptions,
  deps: LinksDeps,
  registry: EndpointRegistry,
): Link<AmqpConnection> {
  const { strategy, dial, backoff, failBackAfterMs, liveness } = options
  const { clock, random, driver, beforeMove } = deps
  const { heartbeatMs, probeAfterMs, probeTimeoutMs } = liveness
  return new Link({
    name: role,
    driver,
    registry,
    clock,
    random,
    strategy,
    dial,
    backoff,
    restoreBackoff,
    penaltyMs,
    // An idle broker sends a heartbeat after half of the interval: more than two of them have to be missing.
    liveness: { probeAfterMs, probeTimeoutMs, quietMs: heartbeatMs * 1.25 },
    failBackAfterMs,
    beforeMove: () => beforeMove(role),
  })
}

interface ReadyLimit {
  readonly timeoutMs: number
  /** The caller's signal. */
  readonly signal: AbortSignal | undefined
  /** Fires with `closed` when the client ends. */
  readonly closing: AbortSignal
}

/** Waits until every link in use is ready and all its declarations are settled; the first refusal rejects. */
export async function waitUntilReady(
  clock: Clock,
  links: Links,
  { timeoutMs, signal, closing }: ReadyLimit,
): Promise<void> {
  const inUse = [links.publish, links.consume].filter((link) => link.state.kind !== 'idle')
  // An unused client proves with one connection that it can connect.
  const waitFor = inUse.length > 0 ? inUse : [links.publish]
  let lastError: Error | undefined
  const onFailure = (error: Error): void => {
    lastError = error
  }
  const reason = (_: WaitFailure, cause: Error | undefined): HaError => {
    if (cause === undefined) return notReadyError(links, timeoutMs, lastError)
    return isHaError(cause) ? cause : new HaError('aborted', 'ready() was aborted by its signal', { cause })
  }
  await runWithin({ clock, limit: { timeoutMs, signal }, closed: closing, reason }, (inner) =>
    Promise.all(waitFor.map((link) => waitUntilSettledOn(link, inner, onFailure))),
  )
}

async function waitUntilSettledOn(
  link: Link<AmqpConnection>,
  signal: AbortSignal,
  onFailure: (error: Error) => void,
): Promise<void> {
  await link.acquire(signal)
  for (const key of link.desiredState.keys()) {
    const onWait = (): void => {
      const error = lastFailure(link.desiredState, key)
      if (error !== undefined) onFailure(error)
    }
    await whenSettled(link.desiredState, key, signal, onWait).catch((error: unknown) => {
      throw !signal.aborted && isHaError(error) ? topologyConflict(key, error) : error
    })
  }
}

function notReadyError(links: Links, timeoutMs: number, cause: Error | undefined): HaError {
  const both = [links.publish, links.consume]
  const reasons = both
    .map((link) => link.health())
    .filter(({ state }) => state !== 'idle')
    .map(({ name, state, reason, declarations }) => {
      const open = declarations.filter(({ standing: status }) => status !== 'held').map(({ key }) => key)
      const missing = state === 'ready' && open.length > 0 ? `, waits for ${open.join(', ')}` : ''
      return `${name} is ${state}${reason === undefined ? '' : ` (${reason})`}${missing}`
    })
  return new HaError('timed-out', `not ready within ${timeoutMs} ms: ${reasons.join('; ')}`, {
    retryable: true,
    cause: cause ?? both.map((link) => link.unavailableReason()).find((error) => error !== undefined),
  })
}
