import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { type Clock, type Driver, type Endpoint, type EndpointSource, Link } from '@ha/core'
import { EndpointRegistry, type LinkedController, linkedController, select } from '@ha/core/driver'
import { Chroot, chrootDeclaration } from './chroot.ts'
import { StateTracker } from './client-state.ts'
import type { ZookeeperConnection } from './connection/connection.ts'
import { zookeeperDriver } from './connection/driver.ts'
import { defaultLimits } from './connection/in-flight.ts'
import type { Dial } from './connection/socket.ts'
import type { ClientContext } from './context.ts'
import { NodeCreator } from './operations/create.ts'
import type { Operations } from './operations/operations.ts'
import { Reads } from './operations/reads.ts'
import { RequestExecutor } from './operations/request-executor.ts'
import { isOutcomeUnknown } from './operations/unknown-outcome.ts'
import { Writes } from './operations/writes.ts'
import type { ResolvedOptions } from './options.ts'
import { EphemeralRegistry } from './recipes/ephemeral-registry.ts'
import type { LiveSession } from './session/session.ts'
import { type CloseSessionDeps, SessionManager } from './session/sessions.ts'
import { Watches } from './watches/watches.ts'

/** What the world gives to a client; a test gives other things. */
export interface ClientDeps {
  readonly clock: Clock
  /** A number from 0 up to 1. */
  readonly random: () => number
  /** How a stream to a server is opened. Default: TCP, or TLS. */
  readonly dial?: Dial
}

/** What a client is made of. */
export interface ClientComponents {
  readonly link: Link<ZookeeperConnection>
  readonly sessions: SessionManager
  readonly watches: Watches
  readonly tracker: StateTracker
  readonly executor: RequestExecutor
  readonly operations: Operations
  readonly ephemerals: EphemeralRegistry
  readonly context: ClientContext
  /** What the session of a closed client is ended with. */
  readonly closeDeps: CloseSessionDeps
  /** Fires the signal of the context: everything that stands on it ends. */
  readonly scope: LinkedController
}

// A server that failed stands behind the others for as long as a restart takes.
const penaltyMs = 30_000

// What was registered is to be registered again within a second of the connection.
const restoreBackoff = { baseMs: 50, maxMs: 1_000 }

/** Puts a client together. Nothing is dialled yet. */
export function assembleClient(options: ResolvedOptions, deps: ClientDeps): ClientComponents {
  const { clock, random } = deps
  const { servers, aclOf, operationTimeoutMs: timeoutMs } = options
  const tracker = new StateTracker(options.sessionTimeoutMs)
  const reportDefect = (where: string, thrown: unknown): void => tracker.reportDefect(where, thrown)
  const sessions = new SessionManager({
    clock,
    timeoutMs: options.sessionTimeoutMs,
    onStarted: (session) => tracker.sessionStarted(session),
    onEnded: (session, error) => tracker.sessionEnded(session, error),
  })
  const chroot = new Chroot(servers.chroot)
  const watches = new Watches({ chroot, lastZxid: () => sessions.lastZxid, reportDefect })
  const driver = createDriver(options, deps, sessions, watches)
  const roster = new EndpointRegistry(clock, resolveAddresses(servers.endpoints, options.tls !== undefined))
  const link = createLink(options, deps, driver, roster)
  sessions.attach(link)
  tracker.attach(link, sessions)
  watches.attach(link)
  if (options.ensureChroot && servers.chroot !== '')
    link.desiredState.declare(chrootDeclaration(servers.chroot, aclOf))
  link.desiredState.declare(watches)
  const { maxOperations } = options
  const scope = linkedController()
  const closed = scope.signal
  const executor = new RequestExecutor({ link, driver, clock, random, chroot, maxOperations, closed })
  const reads = new Reads({ executor, watches, timeoutMs })
  const operations = createOperations({ executor, reads, sessions, tracker, options })
  const context: ClientContext = {
    operations,
    watchedReads: reads,
    sessions,
    link,
    clock,
    random,
    signal: closed,
    operationTimeoutMs: timeoutMs,
    reportDefect,
  }
  const ephemerals = new EphemeralRegistry(context, (id) => sessions.isFormerSession(id))
  const plan = (): readonly Endpoint[] =>
    select(roster.view, { strategy: 'random', turn: 0, nowMs: clock.now(), penaltyMs, random })
  const closeDeps = { driver, sessions, clock, random, plan }
  return {
    link,
    sessions,
    watches,
    tracker,
    executor,
    operations,
    ephemerals,
    context,
    closeDeps,
    scope,
  }
}

// The driver, with what each connection carries: the session, and what the servers tell of watched nodes.
function createDriver(
  { auth, tls, maxOperations }: ResolvedOptions,
  { clock, dial }: ClientDeps,
  sessions: SessionManager,
  watches: Watches,
): Driver<ZookeeperConnection> {
  const driver = zookeeperDriver({
    clock,
    tls,
    dial,
    limits: { ...defaultLimits, maxInFlight: maxOperations },
    auth: () => auth,
    connectRequest: () => sessions.connectRequest(),
    onGranted: (granted) => sessions.sessionGranted(granted),
    onExpired: (id) => sessions.sessionExpired(id),
  })
  return {
    ...driver,
    open: async (endpoint, signal) => {
      const connection = await driver.open(endpoint, signal)
      try {
        // Before anything is asked over it: each answer tells of later transactions.
        watches.connectionStarted()
        sessions.attachConnection(connection)
      } catch (error) {
        connection.destroy()
        throw error
      }
      connection.onEvent((event) => watches.dispatch(event))
      return connection
    },
  }
}

function createLink(
  options: ResolvedOptions,
  { clock, random }: ClientDeps,
  driver: Driver<ZookeeperConnection>,
  roster: EndpointRegistry,
): Link<ZookeeperConnection> {
  const { sessionTimeoutMs, connectTimeoutMs, backoff, liveness } = options
  return new Link({
    name: 'session',
    driver,
    registry: roster,
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

interface OperationsDeps {
  readonly executor: RequestExecutor
  readonly reads: Reads
  readonly sessions: SessionManager
  readonly tracker: StateTracker
  readonly options: ResolvedOptions
}

function createOperations({ executor, reads, sessions, tracker, options }: OperationsDeps): Operations {
  const { aclOf, operationTimeoutMs: timeoutMs } = options
  const session = (): LiveSession | undefined => sessions.current
  const creating = new NodeCreator({ executor, reads, timeoutMs, aclOf, session })
  const writes = new Writes({
    executor,
    reads,
    timeoutMs,
    aclOf,
    session,
    lastZxid: () => sessions.lastZxid,
  })
  const told = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      if (isOutcomeUnknown(error)) tracker.outcomeUnknown(name, error)
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

/**
 * The servers' addresses. A name may have several, and they may change: it is asked for before each round of dials, and
 * one that cannot be found takes nothing away from the others. Under TLS names stay names, which certificates are for.
 */
function resolveAddresses(endpoints: readonly Endpoint[], usesTls: boolean): EndpointSource {
  if (usesTls || endpoints.every(({ host }) => isIP(host) !== 0)) return endpoints
  return async () => {
    const found = await Promise.allSettled(endpoints.map(lookUpAddresses))
    const addresses = found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
    const failed = found.find((each) => each.status === 'rejected')
    if (addresses.length === 0 && failed !== undefined) throw failed.reason
    return uniqueEndpoints(addresses)
  }
}

async function lookUpAddresses(endpoint: Endpoint): Promise<readonly Endpoint[]> {
  if (isIP(endpoint.host) !== 0) return [endpoint]
  const found = await lookup(endpoint.host, { all: true })
  return found.map(({ address }) => ({ host: address, port: endpoint.port }))
}

function uniqueEndpoints(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const byName = new Map(endpoints.map((endpoint) => [`${endpoint.host} ${endpoint.port}`, endpoint]))
  return [...byName.values()]
}
