import {
  type Clock,
  type Driver,
  type EndpointSource,
  type FullJitter,
  HaError,
  isHaError,
  Link,
} from '@ha/core'
import { EndpointRegistry, linkedController } from '@ha/core/driver'
import type { Role } from './client-events.ts'
import type { AmqpConnection } from './driver/connection.ts'
import { topologyConflict } from './errors.ts'
import type { ResolvedOptions } from './options.ts'
import { lastFailure, whenSettled } from './topology/declare.ts'

/** The two connections of a client, each kept alive on its own; what one learns of a node, the other knows. */
export type Links = Readonly<Record<Role, Link<AmqpConnection>>>

interface LinksDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly driver: Driver<AmqpConnection>
  readonly addresses: EndpointSource
  /** Finishes what is under way before a planned move. */
  readonly beforeMove: (role: Role) => Promise<void>
}

// A queue that is usable again is to be consumed again within a second.
const restoreBackoff: FullJitter = { baseMs: 50, maxMs: 1_000 }

// A node that failed stands behind the others for as long as a restart takes.
const penaltyMs = 30_000

/** Makes both links; they dial when they are first needed. */
export function createLinks(options: ResolvedOptions, parts: LinksDeps): Links {
  const roster = new EndpointRegistry(parts.clock, parts.addresses)
  return {
    publish: createLink('publish', options, parts, roster),
    consume: createLink('consume', options, parts, roster),
  }
}

function createLink(
  role: Role,
  options: ResolvedOptions,
  parts: LinksDeps,
  roster: EndpointRegistry,
): Link<AmqpConnection> {
  const { strategy, dial, backoff, failBackAfterMs, liveness } = options
  const { clock, random, driver, beforeMove } = parts
  const { heartbeatMs, probeAfterMs, probeTimeoutMs } = liveness
  return new Link({
    name: role,
    driver,
    roster,
    clock,
    random,
    strategy,
    dial,
    backoff,
    restoreBackoff,
    penaltyMs,
    // A broker with nothing to say sends a heartbeat after half the time: more than two of them have to be missing.
    liveness: { probeAfterMs, probeTimeoutMs, quietMs: heartbeatMs * 1.25 },
    failBackAfterMs,
    beforeMove: () => beforeMove(role),
  })
}

interface ReadyWait {
  readonly timeoutMs: number
  /** The caller's own. */
  readonly signal: AbortSignal | undefined
  /** Fires with `closed` when the client ends. */
  readonly closing: AbortSignal
}

/** Waits until every link in use is up and everything declared on it is settled; the first refusal rejects. */
export async function waitUntilReady(
  clock: Clock,
  links: Links,
  { timeoutMs, signal, closing: begun }: ReadyWait,
): Promise<void> {
  begun.throwIfAborted()
  const inUse = [links.publish, links.consume].filter((link) => link.state.kind !== 'idle')
  // Nothing is in use yet: a client that is asked whether it is ready shows that it can connect.
  const waitFor = inUse.length > 0 ? inUse : [links.publish]
  const scope = linkedController(begun, signal)
  let cause: Error | undefined
  const onFailure = (error: Error): void => {
    cause = error
  }
  const cancel = clock.after(timeoutMs, () => scope.abort(notReadyError(links, timeoutMs, cause)))
  try {
    await Promise.all(waitFor.map((link) => waitUntilSettledOn(link, scope.signal, onFailure)))
  } catch (error) {
    scope.abort(error)
    throw isHaError(error)
      ? error
      : new HaError('aborted', 'ready() was ended by its signal', { cause: error })
  } finally {
    cancel()
    scope.unlink()
  }
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
      const open = declarations.filter(({ standing }) => standing !== 'held').map(({ key }) => key)
      const missing = state === 'ready' ? `, waits for ${open.join(', ')}` : ''
      return `${name} is ${state}${reason === undefined ? '' : ` (${reason})`}${missing}`
    })
  return new HaError('timed-out', `not ready within ${timeoutMs} ms: ${reasons.join('; ')}`, {
    retryable: true,
    cause: cause ?? both.map(dialErrorOf).find((error) => error !== undefined),
  })
}

function dialErrorOf({ state }: Link<AmqpConnection>): HaError | undefined {
  if (state.kind === 'waiting') return state.error
  return state.kind === 'dialing' ? state.trouble : undefined
}
