import type { Socket } from 'node:net'
import { type Endpoint, HaError } from '@ha/core'
import { asError } from '@ha/core/driver'
import { addressOf, Connection, type Healing, type ProxyConnection } from './connection.ts'
import { checkFaults, type Direction, type Fault, type Faults, noFaults } from './faults.ts'
import { type AcceptMode, ProxyListener, portModes } from './listener.ts'
import { type FaultProxyOptions, resolveOptions } from './options.ts'
import { endSocket, socketClosed } from './sockets.ts'
import { type Counters, type ProxyEvent, Timeline, type TimelineEntry, withFlows } from './timeline.ts'

/** Starts a TCP proxy without faults. */
export async function faultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new FaultProxy(resolveOptions(options))
  await proxy.admit('open')
  return proxy
}

/**
 * A TCP proxy in this process, for tests: clients connect to `endpoint`, the server is behind it, and faults of the
 * network between them can be switched on and off.
 */
export class FaultProxy {
  readonly #options: Required<FaultProxyOptions>
  readonly #listener: ProxyListener
  readonly #timeline = new Timeline()
  readonly #connections = new Map<number, Connection>()
  readonly #turnedAway = new Set<Socket>()
  #faults: Required<Faults> = noFaults
  #door: AcceptMode = 'refuse'
  #modeChanges: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  /** Use {@link faultProxy}: this one does not listen yet. */
  constructor(options: Required<FaultProxyOptions>) {
    this.#options = options
    this.#listener = new ProxyListener(options.listen, (socket) => this.#onClient(socket))
  }

  /** Where clients reach the proxy; stays the same in every accept mode. */
  get endpoint(): Endpoint {
    return this.#listener.endpoint
  }

  /** How new clients are treated now. */
  get door(): AcceptMode {
    return this.#door
  }

  /** The faults of a connection that is accepted now. */
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

  /** Sets the faults of all open and all later connections. The latest call counts. */
  set(faults: Faults): void {
    checkFaults(faults)
    this.#faults = { ...this.#faults, ...faults }
    this.#record({ kind: 'faults', faults: this.#faults })
    for (const connection of this.#connections.values()) connection.applyFaults(faults)
  }

  /** Sets how new clients are treated; resolves when it is in effect. Open connections are not affected. */
  admit(mode: AcceptMode): Promise<void> {
    const moved = this.#modeChanges.then(() => this.#changeMode(mode))
    // The caller gets the failure of its change; the next change starts from the state that is left.
    this.#modeChanges = moved.catch(() => undefined)
    return moved
  }

  /** Lifts all faults at once and accepts clients again. Held bytes are passed on, or lost with `held: 'drop'`. */
  heal(healing: Healing = {}): Promise<void> {
    this.#faults = noFaults
    this.#record({ kind: 'faults', faults: noFaults })
    for (const connection of this.#connections.values()) connection.liftFaults(healing)
    return this.admit('open')
  }

  /** Cuts every connection now. */
  cut(how: 'close' | 'reset'): void {
    for (const connection of this.#connections.values()) connection.cut(how)
    for (const socket of this.#turnedAway) endSocket(socket, how)
  }

  /**
   * Closes all connections, whatever is held. Resolves when no handle is left; calling it again returns the same
   * promise.
   */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #changeMode(mode: AcceptMode): Promise<void> {
    if (this.#closing !== undefined) throw new HaError('closed', 'fault proxy: it is closed')
    // If the port cannot be opened again, clients are refused.
    this.#door = 'refuse'
    await this.#listener.setMode(portModes[mode])
    this.#door = mode
    this.#record({ kind: 'door', door: mode })
  }

  #onClient(socket: Socket): void {
    if (this.#door === 'open') this.#accept(socket)
    else this.#turnAway(socket, this.#door)
  }

  #accept(socket: Socket): void {
    const id = this.#timeline.counters.accepted + 1
    const connection = new Connection({
      id,
      socket,
      options: this.#options,
      faults: this.#faults,
      record: (event) => this.#record(event),
    })
    this.#connections.set(id, connection)
    this.#options.onConnection(connection)
    connection.start()
  }

  #turnAway(socket: Socket, mode: AcceptMode): void {
    this.#record({ kind: 'turned-away', door: mode, client: addressOf(socket) })
    this.#turnedAway.add(socket)
    socket.once('close', () => this.#turnedAway.delete(socket))
    // Its errors are ignored: the client was turned away.
    socket.on('error', () => undefined)
    socket.once('end', () => socket.destroy())
    socket.resume()
    if (mode !== 'silent') endSocket(socket, mode === 'reset' ? 'reset' : 'close')
  }

  #record(event: ProxyEvent): void {
    this.#timeline.record(this.#options.clock.now(), event)
    if (event.kind === 'closed') this.#connections.delete(event.connection)
  }

  async #shutDown(): Promise<void> {
    await this.#modeChanges
    await this.#listener.setMode('shut')
    const connections = [...this.#connections.values()]
    const turnedAway = [...this.#turnedAway]
    for (const one of [...connections, ...turnedAway]) one.destroy()
    await Promise.all([
      ...connections.map((connection) => connection.closed),
      ...turnedAway.map(socketClosed),
    ])
    await this.#listener.released()
  }
}

/** One attempt for each byte at which a fault may begin. */
export interface Sweep {
  readonly proxy: FaultProxy
  readonly direction: Direction
  /**
   * The fault that begins behind that many bytes, e.g. `(afterBytes) => ({ kind: 'cut', how: 'reset', afterBytes })`.
   */
  readonly fault: (afterBytes: number) => Fault
  /** Default 0: before the first byte. */
  readonly fromByte?: number
  /** The last position, itself included: the length of the exchange puts the fault right behind it. */
  readonly toByte: number
  /** Default 1: each byte. */
  readonly everyBytes?: number
  /** Connects through the proxy and checks what must hold wherever the fault strikes. */
  readonly attempt: (afterBytes: number) => Promise<void>
}

/**
 * Runs `attempt` once for each position, one after the other, with the fault set for connections made in it. Each
 * begins without connections: those of the one before are reset. Afterwards, also after a failure, the proxy is
 * healed. An attempt that fails is reported with its position.
 */
export async function sweepBytes(sweep: Sweep): Promise<void> {
  const { proxy, direction, fault, fromByte = 0, toByte, everyBytes = 1 } = sweep
  try {
    for (let afterBytes = fromByte; afterBytes <= toByte; afterBytes += everyBytes) {
      proxy.set({ [direction]: [fault(afterBytes)] })
      await runAttempt(sweep, afterBytes)
      proxy.cut('reset')
    }
  } finally {
    await proxy.heal({ held: 'drop' })
  }
}

async function runAttempt({ attempt, direction, fault }: Sweep, afterBytes: number): Promise<void> {
  try {
    await attempt(afterBytes)
  } catch (cause) {
    // Not one of our errors: it is the test's own, and the test should see it with its place.
    const place = `'${fault(afterBytes).kind}' after byte ${afterBytes} ${direction}`
    throw new Error(`the attempt with ${place} failed: ${asError(cause).message}`, { cause })
  }
}
