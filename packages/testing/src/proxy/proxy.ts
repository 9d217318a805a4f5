import type { Socket } from 'node:net'
import type { Endpoint } from '@ha/core'
import { HaError } from '@ha/core'
import { checkFaults } from './check-faults.ts'
import { addressOf, Connection, type Healing, type ProxyConnection } from './connection.ts'
import { type Counters, withFlows } from './counters.ts'
import { type Door, portModes } from './door.ts'
import type { ProxyEvent } from './event.ts'
import { type Faults, noFaults } from './fault.ts'
import { Listener } from './listener.ts'
import { type FaultProxyOptions, resolveOptions } from './options.ts'
import { closed, endSocket } from './sockets.ts'
import { Timeline, type TimelineEntry } from './timeline.ts'

/** Starts a TCP proxy that does no harm until it is told to. */
export async function faultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new FaultProxy(resolveOptions(options))
  await proxy.admit('open')
  return proxy
}

/**
 * A TCP proxy in this process, for tests: clients dial `endpoint`, the server is behind it, and everything that can go
 * wrong between them can be switched on and off while they talk.
 */
export class FaultProxy {
  readonly #options: Required<FaultProxyOptions>
  readonly #listener: Listener
  readonly #timeline = new Timeline()
  readonly #connections = new Map<number, Connection>()
  readonly #turnedAway = new Set<Socket>()
  #faults: Required<Faults> = noFaults
  #door: Door = 'refuse'
  #moves: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  /** Use {@link faultProxy}: this one does not listen yet. */
  constructor(options: Required<FaultProxyOptions>) {
    this.#options = options
    this.#listener = new Listener(options.listen, (socket) => this.#meet(socket))
  }

  /** Where clients reach the proxy; stays the same when the door is shut and opened again. */
  get endpoint(): Endpoint {
    return this.#listener.endpoint
  }

  /** How clients that arrive are treated now. */
  get door(): Door {
    return this.#door
  }

  /** The faults that a client gets that arrives now. */
  get faults(): Required<Faults> {
    return this.#faults
  }

  /** The connections that are open now, oldest first. */
  get connections(): readonly ProxyConnection[] {
    return [...this.#connections.values()]
  }

  /** What happened so far, oldest first: the latest 100 000 events. */
  get timeline(): readonly TimelineEntry[] {
    return this.#timeline.entries
  }

  get counters(): Counters {
    return withFlows(this.#timeline.counters, this.#connections.values())
  }

  /** Sets the faults of every connection, those that are open and those to come. The last word counts. */
  set(faults: Faults): void {
    checkFaults(faults)
    this.#faults = { ...this.#faults, ...faults }
    this.#record({ kind: 'faults', faults: this.#faults })
    for (const connection of this.#connections.values()) connection.follow(faults)
  }

  /** Treats clients that arrive from now on as `door` says; resolves when it is so. Open connections are not touched. */
  admit(door: Door): Promise<void> {
    const moved = this.#moves.then(() => this.#move(door))
    // Whoever asked for a move hears of its failure; the next move starts from wherever it left off.
    this.#moves = moved.catch(() => undefined)
    return moved
  }

  /** Lifts all faults, at once, and opens the door. Held bytes flow on, or are lost with `held: 'drop'`. */
  heal(healing: Healing = {}): Promise<void> {
    this.#faults = noFaults
    this.#record({ kind: 'faults', faults: noFaults })
    for (const connection of this.#connections.values()) connection.recover(healing)
    return this.admit('open')
  }

  /** Cuts every connection now. */
  cut(how: 'close' | 'reset'): void {
    for (const connection of this.#connections.values()) connection.cut(how)
    for (const socket of this.#turnedAway) endSocket(socket, how)
  }

  /** Ends everything, whatever is held. Resolves when no handle is left; calling it again returns the same promise. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #move(door: Door): Promise<void> {
    if (this.#closing !== undefined) throw new HaError('closed', 'fault proxy: it is closed')
    // If the port cannot be had back, clients are refused.
    this.#door = 'refuse'
    await this.#listener.become(portModes[door])
    this.#door = door
    this.#record({ kind: 'door', door })
  }

  #meet(socket: Socket): void {
    if (this.#door === 'open') this.#letIn(socket)
    else this.#turnAway(socket, this.#door)
  }

  #letIn(socket: Socket): void {
    const { to, clock, seed, maxHeldBytes, onConnection } = this.#options
    const id = this.#timeline.counters.accepted + 1
    const record = (event: ProxyEvent): void => this.#record(event)
    const connection = new Connection({
      id,
      socket,
      to,
      clock,
      seed,
      maxHeldBytes,
      record,
      faults: this.#faults,
    })
    this.#connections.set(id, connection)
    onConnection(connection)
    connection.start()
  }

  #turnAway(socket: Socket, door: Door): void {
    this.#record({ kind: 'turned-away', door, client: addressOf(socket) })
    this.#turnedAway.add(socket)
    socket.once('close', () => this.#turnedAway.delete(socket))
    // Its errors concern nobody: it was turned away.
    socket.on('error', () => undefined)
    socket.once('end', () => socket.destroy())
    socket.resume()
    if (door !== 'silent') endSocket(socket, door === 'reset' ? 'reset' : 'close')
  }

  #record(event: ProxyEvent): void {
    this.#timeline.record(this.#options.clock.now(), event)
    if (event.kind === 'closed') this.#connections.delete(event.connection)
  }

  async #shutDown(): Promise<void> {
    await this.#moves
    await this.#listener.become('shut')
    const connections = [...this.#connections.values()]
    const turnedAway = [...this.#turnedAway]
    for (const one of [...connections, ...turnedAway]) one.destroy()
    await Promise.all([...connections.map((connection) => connection.closed), ...turnedAway.map(closed)])
    await this.#listener.released()
  }
}
