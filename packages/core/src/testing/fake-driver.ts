import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import type { ConnectionSignal, PoolDriver, ProbeAnswer } from '../driver.ts'
import { type Verdict, verdictTable } from '../errors/classification.ts'
import { asError, type HaError } from '../errors/ha-error.ts'
import type { Clock } from '../util/clock.ts'

/**
 * How a {@link FakeServer} treats clients: `frozen` accepts connections and answers nothing, `full` accepts no more of
 * them, `waiting` answers everything but status reads.
 */
export type FakeMode = 'up' | 'refusing' | 'frozen' | 'denying' | 'full' | 'waiting'

/** An error with one of the codes that the fake driver classifies. */
export class FakeError extends Error {
  /** `poison`: the server ended the connection because of a request. */
  readonly code: 'refused' | 'lost' | 'denied' | 'busy' | 'full' | 'conflict' | 'broken' | 'poison'

  constructor(code: FakeError['code']) {
    super(code)
    this.code = code
  }
}

/** A connection to a {@link FakeServer}. */
export class FakeConnection {
  readonly server: FakeServer
  /** What was applied to this connection, in order. */
  readonly applied: string[] = []
  received = 0
  open = true
  /** No answers arrive over it any more. */
  clogged = false
  /** Something is under way on it. */
  busy = false
  /** The last caller left state behind that the next one must not see. */
  dirty = false
  readonly #over = new AbortController()
  #report: ((signal: ConnectionSignal) => void) | undefined

  constructor(server: FakeServer) {
    this.server = server
  }

  /** Fires when either side ends the connection. */
  get over(): AbortSignal {
    return this.#over.signal
  }

  watch(report: (signal: ConnectionSignal) => void): () => void {
    this.#report = report
    if (!this.open) report({ kind: 'lost', error: new FakeError('lost') })
    return () => {
      this.#report = undefined
    }
  }

  signal(signal: ConnectionSignal): void {
    this.#report?.(signal)
  }

  /** Ends the connection from the side of the server. */
  lose(): void {
    if (!this.open) return
    this.destroy()
    this.signal({ kind: 'lost', error: new FakeError('lost') })
  }

  destroy(): void {
    this.open = false
    this.#over.abort(new FakeError('lost'))
    this.server.connections.delete(this)
  }
}

/** A server that a test kills, freezes and starts. */
export class FakeServer {
  readonly endpoint: Endpoint
  readonly connections: Set<FakeConnection> = new Set<FakeConnection>()
  readonly #clock: Clock
  mode: FakeMode = 'up'
  /** Whether dials ignore their signal: their connections arrive late. */
  ignoresAbort = false
  /** The lifetime of new connections, in milliseconds. */
  endsConnectionsAfterMs: number = Number.POSITIVE_INFINITY
  /** The duration of a handshake or an answer, in milliseconds. */
  answerMs = 5
  /** The status that a monitor reads. */
  reading = 'fine'
  /** New connections and probes reach this server instead, as behind a balancer. */
  successor: FakeServer | undefined
  /** Whether the server tells who it is. */
  tellsIdentity = true
  /** Called when a handshake completes, before the dial resolves. */
  onAccept: () => void = () => undefined
  /** The number of handshakes under way, and its maximum so far. */
  dialing = 0
  maxDialing = 0
  /** The clock times of all dials. */
  readonly dialedAtMs: number[] = []

  constructor(endpoint: Endpoint, clock: Clock) {
    this.endpoint = endpoint
    this.#clock = clock
  }

  beginDial(): void {
    this.dialedAtMs.push(this.#clock.now())
    this.dialing += 1
    this.maxDialing = Math.max(this.maxDialing, this.dialing)
  }

  /** A new connection. */
  accept(): FakeConnection {
    const connection = new FakeConnection(this)
    this.connections.add(connection)
    this.onAccept()
    if (this.endsConnectionsAfterMs !== Number.POSITIVE_INFINITY) {
      this.#clock.after(this.endsConnectionsAfterMs, () => connection.lose())
    }
    return connection
  }

  /** Existing connections get no answers any more, though new ones do. */
  clog(): void {
    for (const connection of this.connections) connection.clogged = true
  }

  kill(): void {
    this.mode = 'refusing'
    for (const connection of [...this.connections]) connection.lose()
  }

  freeze(): void {
    this.mode = 'frozen'
  }

  start(): void {
    this.mode = 'up'
  }
}

const verdicts = verdictTable(
  {
    refused: { scope: 'endpoint', effect: 'none', transient: true },
    lost: { scope: 'endpoint', effect: 'unknown', transient: true },
    unresponsive: { scope: 'endpoint', effect: 'unknown', transient: true },
    denied: { scope: 'cluster', effect: 'none', transient: false },
    busy: { scope: 'call', effect: 'none', transient: true },
    full: { scope: 'call', effect: 'none', transient: true },
    conflict: { scope: 'call', effect: 'none', transient: false },
    broken: { scope: 'connection', effect: 'unknown', transient: true },
    poison: { scope: 'connection', effect: 'unknown', transient: true },
  },
  { scope: 'connection', effect: 'unknown', transient: true },
)

/** A {@link PoolDriver} for {@link FakeServer}s. */
export class FakeDriver implements PoolDriver<FakeConnection, string> {
  readonly protocol: string = 'fake'
  waitingFor: () => HaError | undefined = () => undefined
  readonly #clock: Clock
  readonly #servers: ReadonlyMap<string, FakeServer>

  constructor(clock: Clock, servers: readonly FakeServer[]) {
    this.#clock = clock
    this.#servers = new Map(servers.map((server) => [formatEndpoint(server.endpoint), server]))
  }

  async open(endpoint: Endpoint, signal: AbortSignal): Promise<FakeConnection> {
    const server = this.#server(endpoint)
    server.beginDial()
    try {
      await this.#answer(server, server.ignoresAbort ? new AbortController().signal : signal)
    } finally {
      server.dialing -= 1
    }
    if (server.mode === 'full') throw new FakeError('full')
    return server.accept()
  }

  async close(connection: FakeConnection): Promise<void> {
    await this.#answer(connection.server, connection.over)
    connection.destroy()
  }

  destroy(connection: FakeConnection): void {
    connection.destroy()
  }

  watch(connection: FakeConnection, report: (signal: ConnectionSignal) => void): () => void {
    return connection.watch(report)
  }

  received(connection: FakeConnection): number {
    return connection.received
  }

  async probe(connection: FakeConnection, signal: AbortSignal): Promise<void> {
    await this.#answer(connection.server, signal)
    while (connection.clogged) await this.#clock.sleep(connection.server.answerMs, signal)
    if (!connection.open) throw new FakeError('lost')
    connection.received += 1
  }

  async read(connection: FakeConnection, signal: AbortSignal): Promise<string> {
    const { server } = connection
    while (server.mode === 'waiting') await this.#clock.sleep(server.answerMs, signal)
    await this.probe(connection, signal)
    return server.reading
  }

  reusable(connection: FakeConnection): boolean {
    return connection.open && !connection.busy
  }

  renew(connection: FakeConnection, signal: AbortSignal): Promise<void> | undefined {
    return connection.dirty ? this.#renew(connection, signal) : undefined
  }

  async #renew(connection: FakeConnection, signal: AbortSignal): Promise<void> {
    await this.probe(connection, signal)
    connection.dirty = false
  }

  async probeEndpoint(
    endpoint: Endpoint,
    signal: AbortSignal,
    connection?: FakeConnection,
  ): Promise<ProbeAnswer> {
    const server = this.#server(endpoint)
    await this.#answer(server, signal)
    if (connection === undefined || !server.tellsIdentity) return 'unidentified'
    return connection.server === server ? 'same-server' : 'another-server'
  }

  serverOf({ server }: FakeConnection): string | undefined {
    return server.tellsIdentity ? formatEndpoint(server.endpoint) : undefined
  }

  requestAtFault(error: Error): 'final' | undefined {
    return error instanceof FakeError && error.code === 'poison' ? 'final' : undefined
  }

  classify(error: unknown): Verdict {
    return verdicts((asError(error) as Partial<FakeError>).code)
  }

  #server(endpoint: Endpoint): FakeServer {
    const server = this.#servers.get(formatEndpoint(endpoint))
    if (server === undefined) throw new FakeError('refused')
    return server.successor ?? server
  }

  // The mode is checked after the wait as well: a server can die during a handshake.
  async #answer(server: FakeServer, signal: AbortSignal): Promise<void> {
    if (server.mode !== 'refusing') await this.#clock.sleep(server.answerMs, signal)
    while (server.mode === 'frozen') await this.#clock.sleep(server.answerMs, signal)
    if (server.mode === 'refusing') throw new FakeError('refused')
    if (server.mode === 'denying') throw new FakeError('denied')
    signal.throwIfAborted()
  }
}
