import { type Clock, type Driver, type EndpointSource, type FullJitter, Link } from '@ha/core'
import { EndpointRegistry } from '@ha/core/driver'
import type { AmqpConnection } from './amqp/connection.ts'
import type { Role } from './events.ts'
import type { ResolvedOptions } from './options.ts'

/** The two connections of a client, each kept alive on its own; what one learns of a node, the other knows. */
export type Links = Readonly<Record<Role, Link<AmqpConnection>>>

export interface LinkParts {
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
export function makeLinks(options: ResolvedOptions, parts: LinkParts): Links {
  const roster = new EndpointRegistry(parts.clock, parts.addresses)
  return {
    publish: makeLink('publish', options, parts, roster),
    consume: makeLink('consume', options, parts, roster),
  }
}

function makeLink(
  role: Role,
  options: ResolvedOptions,
  parts: LinkParts,
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
