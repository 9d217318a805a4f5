import { connect, type Socket } from 'node:net'
import type { Clock, Endpoint } from '@ha/core'
import { checkFaults, type Direction, type Faults, noFaults } from './faults.ts'
import { Pipe, type PipeEvent } from './pipe.ts'
import { planOf } from './plan.ts'
import { endSocket, socketClosed } from './sockets.ts'
import type { Flow, ProxyEvent } from './timeline.ts'

/** What becomes of held bytes when faults are lifted: passed on at once and in order, or lost. */
export interface Healing {
  /** Default `flush`. */
  readonly held?: 'flush' | 'drop'
}

/** One client that was let in, and its connection to the server. */
export interface ProxyConnection {
  /** 1 for the first client that the proxy let in. */
  readonly id: number
  /** Where the client calls from. */
  readonly client: Endpoint
  readonly faults: Required<Faults>
  /** What the client sent. */
  readonly up: Flow
  /** What the server sent. */
  readonly down: Flow
  /** Sets the faults of this connection. Held bytes follow the new ones; onsets count from now. */
  set(faults: Faults): void
  /** Lifts the faults of this connection. Bytes that are held flow on, or are lost. How a sender ended is passed on. */
  heal(healing?: Healing): void
  /** Cuts this connection now; {@link CutHow} says what `close` and `reset` are. */
  cut(how: 'close' | 'reset'): void
}

/** What a connection is made of. */
interface ConnectionDeps {
  readonly id: number
  readonly socket: Socket
  readonly to: Endpoint
  readonly faults: Required<Faults>
  readonly clock: Clock
  readonly seed: number
  readonly maxHeldBytes: number
  readonly record: (event: ProxyEvent) => void
}

/** Two sockets and the two pipes between them. */
export class Connection implements ProxyConnection {
  readonly id: number
  readonly client: Endpoint
  /** Resolves when both sockets have let go of their handles. */
  readonly closed: Promise<void>
  readonly #record: (event: ProxyEvent) => void
  readonly #sockets: readonly [client: Socket, server: Socket]
  readonly #pipes: { readonly [D in Direction]: Pipe }
  #faults: Required<Faults>

  constructor(parts: ConnectionDeps) {
    const { id, socket: client, to, record, faults } = parts
    const server = connect({ host: to.host, port: to.port, allowHalfOpen: true, noDelay: true })
    this.id = id
    this.client = addressOf(client)
    this.#record = record
    this.#sockets = [client, server]
    this.#faults = faults
    this.#pipes = {
      up: this.#pipe('up', { source: client, sink: server }, parts),
      down: this.#pipe('down', { source: server, sink: client }, parts),
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

  /** Begins: a fault may be due before any byte. */
  start(): void {
    this.#pipes.up.advance()
    this.#pipes.down.advance()
  }

  /** Like `set`, for faults that were checked and are on record. */
  applyFaults(faults: Faults): void {
    this.#faults = { ...this.#faults, ...faults }
    if (faults.up !== undefined) this.#pipes.up.setPlan(planOf(faults.up))
    if (faults.down !== undefined) this.#pipes.down.setPlan(planOf(faults.down))
  }

  /** Like `heal`, for one that is on record. */
  liftFaults(healing: Healing): void {
    if (healing.held === 'drop') {
      this.#pipes.up.drop()
      this.#pipes.down.drop()
    }
    this.applyFaults(noFaults)
  }

  /** Lets go of both sockets at once, whatever they still have to deliver. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #pipe(
    direction: Direction,
    ends: { readonly source: Socket; readonly sink: Socket },
    parts: ConnectionDeps,
  ): Pipe {
    const { clock, maxHeldBytes } = parts
    const onEvent = (event: PipeEvent): void => this.#onPipeEvent(direction, event)
    const route = { ...ends, clock, maxHeldBytes, seed: seedOf(direction, parts), onEvent }
    return new Pipe(route, planOf(parts.faults[direction]))
  }

  #onPipeEvent(direction: Direction, news: PipeEvent): void {
    this.#record({ ...news, connection: this.id, direction })
    if (news.kind === 'cut' && news.how !== 'end') this.#end(news.how)
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
function seedOf(direction: Direction, { seed, id }: ConnectionDeps): number {
  return Math.imul(seed, 0x9e3779b1) + 4 * id + (direction === 'up' ? 0 : 2)
}

/** Where the client of an accepted socket calls from. */
export function addressOf(client: Socket): Endpoint {
  // A client that is gone already has no address any more.
  return { host: client.remoteAddress ?? '', port: client.remotePort ?? 0 }
}
