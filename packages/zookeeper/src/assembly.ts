import { type Clock, type Driver, type Endpoint, Link } from '@ha/core'
import { EndpointRegistry, type LinkedController, linkedController, select } from '@ha/core/driver'
import { addressesOf } from './addresses.ts'
import { chrootDeclaration } from './chroot.ts'
import type { ZookeeperConnection } from './connection/connection.ts'
import { zookeeperDriver } from './connection/driver.ts'
import { defaultLimits } from './connection/limits.ts'
import type { Dial } from './connection/socket.ts'
import type { Ground } from './ground.ts'
import { Asking } from './operations/asking.ts'
import { Creating } from './operations/creating.ts'
import { isUnknown } from './operations/lost-writes.ts'
import type { Operations } from './operations/operations.ts'
import { Chroot } from './operations/paths.ts'
import { Reads } from './operations/reads.ts'
import { Writes } from './operations/writes.ts'
import type { ResolvedOptions } from './options.ts'
import { EphemeralRegistry } from './recipes/ephemeral-registry.ts'
import type { FarewellParts } from './session/farewell.ts'
import type { LiveSession } from './session/live-session.ts'
import { OwnSessions } from './session/sessions.ts'
import { Telling } from './telling.ts'
import { Watches } from './watches/watches.ts'

/** What the world gives to a client; a test gives other things. */
export interface ZookeeperParts {
  readonly clock: Clock
  /** A number from 0 up to 1. */
  readonly random: () => number
  /** How a stream to a server is opened. Default: TCP, or TLS. */
  readonly dial?: Dial
}

/** What a client is made of. */
export interface Assembly {
  readonly link: Link<ZookeeperConnection>
  readonly sessions: OwnSessions
  readonly watches: Watches
  readonly telling: Telling
  readonly asking: Asking
  readonly operations: Operations
  readonly ephemerals: EphemeralRegistry
  readonly ground: Ground
  /** What the session of a closed client is ended with. */
  readonly farewell: FarewellParts
  /** Fires the signal of the ground: everything that stands on it ends. */
  readonly scope: LinkedController
}

// A server that failed stands behind the others for as long as a restart takes.
const penaltyMs = 30_000

// What was registered is to be registered again within a second of the connection.
const restoreBackoff = { baseMs: 50, maxMs: 1_000 }

/** Puts a client together. Nothing is dialled yet. */
export function assemble(options: ResolvedOptions, parts: ZookeeperParts): Assembly {
  const { clock, random } = parts
  const { servers, aclOf, operationTimeoutMs: timeoutMs } = options
  const telling = new Telling(options.sessionTimeoutMs)
  const onDefect = (where: string, thrown: unknown): void => telling.defect(where, thrown)
  const sessions = new OwnSessions({
    clock,
    timeoutMs: options.sessionTimeoutMs,
    onBegun: (session) => telling.sessionBegun(session),
    onOver: (session, error) => telling.sessionOver(session, error),
  })
  const chroot = new Chroot(servers.chroot)
  const watches = new Watches({ chroot, lastZxid: () => sessions.lastZxid, onDefect })
  const driver = driverOf(options, parts, sessions, watches)
  const roster = new EndpointRegistry(clock, addressesOf(servers.endpoints, options.tls !== undefined))
  const link = linkOf(options, parts, driver, roster)
  sessions.follow(link)
  telling.follow(link, sessions)
  watches.follow(link)
  if (options.ensureChroot && servers.chroot !== '')
    link.desiredState.declare(chrootDeclaration(servers.chroot, aclOf))
  link.desiredState.declare(watches)
  const { maxOperations } = options
  const scope = linkedController()
  const closed = scope.signal
  const asking = new Asking({ link, driver, clock, random, chroot, maxOperations, closed })
  const reads = new Reads({ asking, watches, timeoutMs })
  const operations = operationsOf({ asking, reads, sessions, telling, options })
  const ground: Ground = {
    operations,
    watched: reads,
    sessions,
    link,
    clock,
    random,
    signal: closed,
    operationTimeoutMs: timeoutMs,
    onDefect,
  }
  const ephemerals = new EphemeralRegistry(ground, (id) => sessions.wasOurs(id))
  const plan = (): readonly Endpoint[] =>
    select(roster.view, { strategy: 'random', turn: 0, nowMs: clock.now(), penaltyMs, random })
  const farewell = { driver, sessions, clock, random, plan }
  return { link, sessions, watches, telling, asking, operations, ephemerals, ground, farewell, scope }
}

// The driver, with what each connection carries: the session, and what the servers tell of watched nodes.
function driverOf(
  { auth, tls, maxOperations }: ResolvedOptions,
  { clock, dial }: ZookeeperParts,
  sessions: OwnSessions,
  watches: Watches,
): Driver<ZookeeperConnection> {
  const driver = zookeeperDriver({
    clock,
    tls,
    dial,
    limits: { ...defaultLimits, maxInFlight: maxOperations },
    auth: () => auth,
    hello: () => sessions.hello(),
    onGranted: (granted) => sessions.granted(granted),
    onGone: (id) => sessions.gone(id),
  })
  return {
    ...driver,
    open: async (endpoint, signal) => {
      const connection = await driver.open(endpoint, signal)
      try {
        // Before anything is asked over it: each answer tells of later transactions.
        watches.begin()
        sessions.carriedBy(connection)
      } catch (error) {
        connection.destroy()
        throw error
      }
      connection.onEvent((event) => watches.hear(event))
      return connection
    },
  }
}

function linkOf(
  options: ResolvedOptions,
  { clock, random }: ZookeeperParts,
  driver: Driver<ZookeeperConnection>,
  roster: EndpointRegistry,
): Link<ZookeeperConnection> {
  const { sessionTimeoutMs, connectTimeoutMs, backoff, liveness } = options
  return new Link({
    name: 'session',
    driver,
    roster,
    clock,
    random,
    strategy: 'random',
    // One at a time: a second handshake with the same session would take it away from the first.
    dial: { attemptMs: connectTimeoutMs, staggerMs: connectTimeoutMs, parallel: 1 },
    backoff,
    restoreBackoff,
    penaltyMs,
    // Two thirds of the session, of which the last is for finding another server.
    liveness: { ...liveness, quietMs: (sessionTimeoutMs * 2) / 3 },
    failBackAfterMs: Number.POSITIVE_INFINITY,
    beforeMove: () => Promise.resolve(),
  })
}

interface OperationsParts {
  readonly asking: Asking
  readonly reads: Reads
  readonly sessions: OwnSessions
  readonly telling: Telling
  readonly options: ResolvedOptions
}

function operationsOf({ asking, reads, sessions, telling, options }: OperationsParts): Operations {
  const { aclOf, operationTimeoutMs: timeoutMs } = options
  const session = (): LiveSession | undefined => sessions.current
  const creating = new Creating({ asking, reads, timeoutMs, aclOf, session })
  const writes = new Writes({ asking, reads, timeoutMs, aclOf, session, lastZxid: () => sessions.lastZxid })
  const told = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      if (isUnknown(error)) telling.unknown(name, error)
      throw error
    }
  }
  return {
    ...reads.plain,
    sync: (path = '/', call) => reads.sync(path, call),
    create: (path, data, call) => told('create', () => creating.create(path, data, call)),
    set: (path, data, call) => told('set', () => writes.set(path, data, call)),
    delete: (path, call) => told('delete', () => writes.delete(path, call)),
    multi: (changes, call) => told('multi', () => writes.multi(changes, call)),
    setAcl: (path, acl, call) => told('setAcl', () => writes.setAcl(path, acl, call)),
  }
}
