import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import type { ConnectionSignal, PoolDriver } from '../driver.ts'
import { type Verdict, verdictTable } from '../errors/classification.ts'
import { asError } from '../errors/ha-error.ts'
import type { Clock } from '../util/clock.ts'

/**
 * How a {@link FakeServer} treats those who come: `frozen` takes them and answers nothing, `full` has no room for one
 * more, `waiting` answers everything but readings.
 */
export type FakeMode = 'up' | 'refusing' | 'frozen' | 'denying' | 'full' | 'waiting'

/** An error with one of the codes that the fake driver classifies. */
export class FakeError extends Error {
  readonly code: 'refused' | 'lost' | 'denied' | 'busy' | 'full' | 'conflict' | 'broken'

  constructor(code: FakeError['code']) {
    super(code)
    this.code = code
  }
}

/** One end of a pretended connection. */
export class FakeConnection {
  readonly server: FakeServer
  /** What was applied to this connection, in order. */
  readonly applied: string[] = []
  received = 0
  open = true
  /** Nothing comes over it any more. */
  clogged = false
  /** Something is under way on it. */
  busy = false
  /** A borrower left something behind that the next one must not find. */
  stained = false
  readonly #over = new AbortController()
  #report: ((signal: ConnectionSignal) => void) | undefined

  constructor(server: FakeServer) {
    this.server = server
  }

  /** Fires when it is ended, by whichever side. */
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

  tell(signal: ConnectionSignal): void {
    this.#report?.(signal)
  }

  /** Ends it from the server's side. */
  lose(): void {
    if (!this.open) return
    this.destroy()
    this.tell({ kind: 'lost', error: new FakeError('lost') })
  }

  destroy(): void {
    this.open = false
    this.#over.abort(new FakeError('lost'))
    this.server.connections.delete(this)
  }
}

/** A pretended server that a test kills, freezes and thaws. */
export class FakeServer {
  readonly endpoint: Endpoint
  readonly connections: Set<FakeConnection> = new Set<FakeConnection>()
  readonly #clock: Clock
  mode: FakeMode = 'up'
  /** Whether a dial to it goes on though it was given up: its connection arrives late. */
  deaf = false
  /** Connections made from now on are ended after this time, in milliseconds. */
  endsConnectionsAfterMs: number = Number.POSITIVE_INFINITY
  /** How long a handshake or an answer takes, in milliseconds. */
  answerMs = 5
  /** What it says of itself. */
  reading = 'fine'
  /** Called when a handshake completes, before whoever dialled hears of it. */
  onAccept: () => void = () => undefined
  /** How many handshakes are under way, and how many were at most. */
  dialling = 0
  mostDialling = 0
  /** When it was dialled, in clock time. */
  readonly dialledAtMs: number[] = []

  constructor(endpoint: Endpoint, clock: Clock) {
    this.endpoint = endpoint
    this.#clock = clock
  }

  dialBegins(): void {
    this.dialledAtMs.push(this.#clock.now())
    this.dialling += 1
    this.mostDialling = Math.max(this.mostDialling, this.dialling)
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

  /** The connections there are go quiet, though the server answers new ones. */
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
  },
  { scope: 'connection', effect: 'unknown', transient: true },
)

/** A {@link PoolDriver} whose servers live in the test. */
export class FakeDriver implements PoolDriver<FakeConnection, string> {
  readonly protocol: string = 'fake'
  readonly #clock: Clock
  readonly #servers: ReadonlyMap<string, FakeServer>

  constructor(clock: Clock, servers: readonly FakeServer[]) {
    this.#clock = clock
    this.#servers = new Map(servers.map((server) => [formatEndpoint(server.endpoint), server]))
  }

  async open(endpoint: Endpoint, signal: AbortSignal): Promise<FakeConnection> {
    const server = this.#server(endpoint)
    server.dialBegins()
    try {
      await this.#answer(server, server.deaf ? new AbortController().signal : signal)
    } finally {
      server.dialling -= 1
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
    return connection.stained ? this.#renew(connection, signal) : undefined
  }

  async #renew(connection: FakeConnection, signal: AbortSignal): Promise<void> {
    await this.probe(connection, signal)
    connection.stained = false
  }

  async probeEndpoint(endpoint: Endpoint, signal: AbortSignal): Promise<void> {
    await this.#answer(this.#server(endpoint), signal)
  }

  classify(error: unknown): Verdict {
    return verdicts((asError(error) as Partial<FakeError>).code)
  }

  #server(endpoint: Endpoint): FakeServer {
    const server = this.#servers.get(formatEndpoint(endpoint))
    if (server === undefined) throw new FakeError('refused')
    return server
  }

  // The mode counts at the end of the wait as well: a server can die in the middle of a handshake.
  async #answer(server: FakeServer, signal: AbortSignal): Promise<void> {
    if (server.mode !== 'refusing') await this.#clock.sleep(server.answerMs, signal)
    while (server.mode === 'frozen') await this.#clock.sleep(server.answerMs, signal)
    if (server.mode === 'refusing') throw new FakeError('refused')
    if (server.mode === 'denying') throw new FakeError('denied')
    signal.throwIfAborted()
  }
}
