import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { type Clock, type Driver, type Endpoint, type EndpointSource, Link } from '@ha/core'
import { type Connect, EndpointRegistry, Lifecycle, select } from '@ha/core/driver'
import { Chroot, explainMissingChroot, explainRefusedChroot } from './chroot.ts'
import { StateTracker } from './client-state.ts'
import type { ZookeeperConnection } from './connection/connection.ts'
import { zookeeperDriver } from './connection/driver.ts'
import { defaultLimits } from './connection/in-flight.ts'
import type { ClientContext } from './context.ts'
import { ensureChroot, recreateChroot } from './ensure-chroot.ts'
import { aclFor } from './operations/acl.ts'
import { NodeCreator, type RecreateChroot } from './operations/create.ts'
import type { Operations } from './operations/operations.ts'
import { Reads } from './operations/reads.ts'
import { RequestExecutor } from './operations/request-executor.ts'
import { isOutcomeUnknown } from './operations/unknown-outcome.ts'
import { Writes } from './operations/writes.ts'
import type { ResolvedOptions } from './options.ts'
import { EphemeralRegistry } from './recipes/ephemeral-registry.ts'
import type { LiveSession } from './session/session.ts'
import {
  type CloseSessionDeps,
  clientClosedError,
  closeSession,
  SessionManager,
} from './session/session-manager.ts'
import { Watches } from './watches/watches.ts'

/** Injectable dependencies; replaced in tests. */
export interface ClientDeps {
  readonly clock: Clock
  /** A number from 0 up to 1. */
  readonly random: () => number
  /** Opens a stream to a server. Default: TCP, or TLS. */
  readonly dial?: Connect
}

/** The parts of a client. */
export interface ClientComponents {
  readonly context: ClientContext
  readonly sessions: SessionManager
  readonly watches: Watches
  readonly tracker: StateTracker
  readonly executor: RequestExecutor
  readonly ephemerals: EphemeralRegistry
  readonly lifecycle: Lifecycle<void>
}

// A server that failed is tried after the others for 30 s, about as long as a restart takes.
const penaltyMs = 30_000

// Declarations are applied again within a second of the connection.
const restoreBackoff = { baseMs: 50, maxMs: 1_000 }

/** Makes the parts of a client and connects them. Nothing is dialled yet. */
export function assembleClient(options: ResolvedOptions, deps: ClientDeps): ClientComponents {
  const { clock, random } = deps
  const { servers, operationTimeoutMs: timeoutMs, maxOperations } = options
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
  const registry = new EndpointRegistry(
    clock,
    resolveAddresses(servers.endpoints, options.tls !== undefined),
    {
      sourceName: 'the lookup of the names in connect',
    },
  )
  const link = createLink(options, deps, driver, registry)
  sessions.attach(link)
  tracker.attach(link, sessions)
  watches.attach(link)
  const plan = (): readonly Endpoint[] =>
    select(registry.view, { strategy: 'random', selections: 0, nowMs: clock.now(), penaltyMs, random })
  const lifecycle = createLifecycle(link, { driver, sessions, clock, random, plan })
  const closed = lifecycle.closing
  const executor = new RequestExecutor({
    ...{ link, driver, clock, random, chroot, closed, reportDefect },
    maxOperations,
    maxRequestBytes: options.maxRequestBytes,
  })
  const reads = new Reads({ executor, watches, timeoutMs })
  const context: ClientContext = {
    operations: createOperations({ executor, reads, sessions, tracker, options }),
    watchedReads: reads,
    sessions,
    link,
    clock,
    random,
    signal: closed,
    operationTimeoutMs: timeoutMs,
    reportDefect,
  }
  if (options.ensureChroot && servers.chroot !== '') ensureChroot(context, executor, options)
  link.desiredState.declare(watches)
  const ephemerals = new EphemeralRegistry(context, (id) => sessions.isFormerSession(id))
  return { context, sessions, watches, tracker, executor, ephemerals, lifecycle }
}

// Closing ends the session for the application first, so that a holder of a lease learns of the end before the servers
// let another client have it; then the session on the servers, over the connection that there is or over a new one.
function createLifecycle(link: Link<ZookeeperConnection>, deps: CloseSessionDeps): Lifecycle<void> {
  const { clock, sessions } = deps
  return new Lifecycle<void>({
    clock,
    closedError: clientClosedError,
    drain: async () => sessions.close(),
    end: async (timeoutMs) => {
      const untilMs = clock.now() + timeoutMs
      // A server that does not answer leaves half of the time for the others.
      await link.close(timeoutMs / 2)
      await closeSession(deps, Math.max(1, untilMs - clock.now()))
    },
    endMs: (timeoutMs) => timeoutMs,
  })
}

// The driver, whose connections carry the session and deliver the events of watched nodes.
function createDriver(
  { auth, tls, maxOperations, maxRequestBytes, maxReplyBytes }: ResolvedOptions,
  { clock, dial }: ClientDeps,
  sessions: SessionManager,
  watches: Watches,
): Driver<ZookeeperConnection> {
  const driver = zookeeperDriver({
    clock,
    sessions,
    auth,
    tls,
    dial,
    limits: {
      ...defaultLimits,
      maxInFlight: maxOperations,
      maxRequestBytes,
      maxFrameBytes: maxReplyBytes,
    },
  })
  return {
    ...driver,
    open: async (endpoint, signal) => {
      const connection = await driver.open(endpoint, signal)
      try {
        // Before the first request: each reply contains a later zxid.
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
  registry: EndpointRegistry,
): Link<ZookeeperConnection> {
  const { sessionTimeoutMs, connectTimeoutMs, backoff, liveness } = options
  return new Link({
    name: 'session',
    driver,
    registry,
    clock,
    random,
    strategy: 'random',
    // One at a time: a second handshake with the same session would move the session to that connection.
    dial: { attemptMs: connectTimeoutMs, staggerMs: connectTimeoutMs, parallel: 1 },
    backoff,
    restoreBackoff,
    penaltyMs,
    // Two thirds of the session timeout; the last third is for finding another server.
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
  const { aclOf, parentAclOf, operationTimeoutMs: timeoutMs } = options
  const session = (): LiveSession | undefined => sessions.current
  const recreate: RecreateChroot = async (error, deadline) => {
    if (!options.ensureChroot) throw explainMissingChroot(error, executor.chroot)
    await recreateChroot(executor, aclFor('/', undefined, parentAclOf), deadline).catch((thrown: unknown) => {
      throw explainRefusedChroot(thrown, error.path, executor.chroot)
    })
  }
  const shared = { executor, reads, timeoutMs, aclOf, session, recreateChroot: recreate }
  const creator = new NodeCreator({ ...shared, parentAclOf })
  const writes = new Writes({ ...shared, lastZxid: () => sessions.lastZxid })
  const reporting = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
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
    create: (path, data, call) => reporting('create', () => creator.create(path, data, call)),
    set: (path, data, call) => reporting('set', () => writes.set(path, data, call)),
    delete: (path, call) => reporting('delete', () => writes.delete(path, call)),
    multi: (changes, call) => reporting('multi', () => writes.multi(changes, call)),
    setAcl: (path, acl, call) => reporting('setAcl', () => writes.setAcl(path, acl, call)),
  }
}

// A name may have several addresses, which may change: it is resolved before each round of dials. A name that cannot be
// resolved does not affect the others. With TLS, names are kept: certificates are issued for names.
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
