import { connect, type Socket } from 'node:net'
import type { Endpoint } from '@ha/core'
import { checkFaults, type Direction, type Faults, noFaults } from './faults.ts'
import type { FaultProxyOptions } from './options.ts'
import { Pipe, type PipeEvent } from './pipe.ts'
import { planOf } from './plan.ts'
import { endSocket, socketClosed } from './sockets.ts'
import type { Flow, ProxyEvent } from './timeline.ts'

/** What happens to held bytes when faults are lifted: they are passed on at once and in order, or lost. */
export interface Healing {
  /** Default `flush`. */
  readonly held?: 'flush' | 'drop'
}

/** The connection of one accepted client, and that to the server. */
export interface ProxyConnection {
  /** 1 for the first client that the proxy accepted. */
  readonly id: number
  /** The address of the client. */
  readonly client: Endpoint
  readonly faults: Required<Faults>
  /** What the client sent. */
  readonly up: Flow
  /** What the server sent. */
  readonly down: Flow
  /** Sets the faults of this connection. Held bytes follow the new ones; onsets count from now. */
  set(faults: Faults): void
  /** Lifts the faults of this connection. Held bytes are passed on, or lost. The end of a sender is passed on. */
  heal(healing?: Healing): void
  /** Cuts this connection now; {@link CutHow} describes `close` and `reset`. */
  cut(how: 'close' | 'reset'): void
}

/** What a connection needs from its proxy. */
interface ConnectionDeps {
  readonly id: number
  /** The accepted socket of the client. */
  readonly socket: Socket
  readonly options: Required<FaultProxyOptions>
  readonly faults: Required<Faults>
  readonly record: (event: ProxyEvent) => void
}

/** Two sockets and the two pipes between them. */
export class Connection implements ProxyConnection {
  readonly id: number
  readonly client: Endpoint
  /** Resolves when the handles of both sockets are closed. */
  readonly closed: Promise<void>
  readonly #record: (event: ProxyEvent) => void
  readonly #sockets: readonly [client: Socket, server: Socket]
  readonly #pipes: { readonly [D in Direction]: Pipe }
  #faults: Required<Faults>

  constructor(deps: ConnectionDeps) {
    const { id, socket: client, options, record, faults } = deps
    const { to } = options
    const server = connect({ host: to.host, port: to.port, allowHalfOpen: true, noDelay: true })
    this.id = id
    this.client = addressOf(client)
    this.#record = record
    this.#sockets = [client, server]
    this.#faults = faults
    this.#pipes = {
      up: this.#pipe('up', { source: client, sink: server }, deps),
      down: this.#pipe('down', { source: server, sink: client }, deps),
    }
    record({ kind: 'accepted', connection: id, client: this.client })
    this.#watchDial(server)
    this.closed = this.#untilClosed()
  }

  get faults(): Required<Faults> {
    return this.#faults
  }

  get up(): Flow {
    return this.#pipes.up.flow
  }

  get down(): Flow {
    return this.#pipes.down.flow
  }

  set(faults: Faults): void {
    checkFaults(faults)
    this.#record({ kind: 'faults', connection: this.id, faults: { ...this.#faults, ...faults } })
    this.applyFaults(faults)
  }

  heal(healing: Healing = {}): void {
    this.#record({ kind: 'faults', connection: this.id, faults: noFaults })
    this.liftFaults(healing)
  }

  cut(how: 'close' | 'reset'): void {
    this.#record({ kind: 'cut', connection: this.id, how })
    this.#end(how)
  }

  /** Starts both directions: a fault may be due before the first byte. */
  start(): void {
    this.#pipes.up.advance()
    this.#pipes.down.advance()
  }

  /** Like `set`, for faults that are already checked and recorded. */
  applyFaults(faults: Faults): void {
    this.#faults = { ...this.#faults, ...faults }
    if (faults.up !== undefined) this.#pipes.up.setPlan(planOf(faults.up))
    if (faults.down !== undefined) this.#pipes.down.setPlan(planOf(faults.down))
  }

  /** Like `heal`, for a call that is already recorded. */
  liftFaults(healing: Healing): void {
    if (healing.held === 'drop') {
      this.#pipes.up.drop()
      this.#pipes.down.drop()
    }
    this.applyFaults(noFaults)
  }

  /** Destroys both sockets at once, whatever they still have to deliver. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #pipe(
    direction: Direction,
    sockets: { readonly source: Socket; readonly sink: Socket },
    deps: ConnectionDeps,
  ): Pipe {
    const { clock, maxHeldBytes } = deps.options
    const onEvent = (event: PipeEvent): void => this.#onPipeEvent(direction, event)
    const seed = seedOf(direction, deps)
    return new Pipe({ ...sockets, clock, maxHeldBytes, seed, onEvent }, planOf(deps.faults[direction]))
  }

  #onPipeEvent(direction: Direction, event: PipeEvent): void {
    this.#record({ ...event, connection: this.id, direction })
    if (event.kind === 'cut' && event.how !== 'end') this.#end(event.how)
  }

  #end(how: 'close' | 'reset'): void {
    this.#pipes.up.halt()
    this.#pipes.down.halt()
    for (const socket of this.#sockets) endSocket(socket, how)
  }

  #watchDial(server: Socket): void {
    const onError = (error: Error): void => this.#record({ kind: 'dial-failed', connection: this.id, error })
    server.once('error', onError)
    server.once('connect', () => {
      server.off('error', onError)
      this.#record({ kind: 'dialled', connection: this.id })
    })
  }

  async #untilClosed(): Promise<void> {
    await Promise.all(this.#sockets.map(socketClosed))
    this.#record({ kind: 'closed', connection: this.id, up: this.up, down: this.down })
  }
}

// Each pipe has two generators of its own, so that what one connection draws does not shift the others. The factor,
// 2^32 divided by the golden ratio, takes the seeds of neighbouring proxies apart.
function seedOf(direction: Direction, { options, id }: ConnectionDeps): number {
  return Math.imul(options.seed, 0x9e3779b1) + 4 * id + (direction === 'up' ? 0 : 2)
}

/** The address of the client of an accepted socket. */
export function addressOf(client: Socket): Endpoint {
  // A client that has disconnected has no address any more.
  return { host: client.remoteAddress ?? '', port: client.remotePort ?? 0 }
}
