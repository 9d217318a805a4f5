import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { afterPoll, socketClosed } from './sockets.ts'

/** The state of the port: it accepts clients, refuses them, or leaves their SYN without an answer. */
export type PortMode = 'listening' | 'shut' | 'stalled'

type State =
  | { readonly kind: 'shut' }
  | { readonly kind: 'listening'; readonly server: Server }
  | { readonly kind: 'stalled'; readonly port: StalledPort }

/** One port that can listen, be closed and be stalled repeatedly. Calls of `setMode` must not overlap. */
export class ProxyListener {
  readonly #onClient: (socket: Socket) => void
  #endpoint: Endpoint
  #state: State = { kind: 'shut' }
  #drained: Promise<unknown> = Promise.resolve()

  /** @param at port 0 is any free one; once it listens, `endpoint` names it and it stays the same. */
  constructor(at: Endpoint, onClient: (socket: Socket) => void) {
    this.#endpoint = at
    this.#onClient = onClient
  }

  get endpoint(): Endpoint {
    return this.#endpoint
  }

  async setMode(mode: PortMode): Promise<void> {
    if (mode === this.#state.kind) return
    await this.#stopListening()
    if (mode === 'listening') await this.#listen()
    if (mode === 'stalled') await this.#stall()
  }

  /** Resolves when no handle of the port is left: once it is shut and every client that was let in is gone. */
  async released(): Promise<void> {
    await this.#drained
    // A server emits 'close' a moment before its handle is closed.
    await new Promise<void>((resolve) => afterPoll(resolve))
  }

  async #listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, this.#onClient)
    server.listen({ host: this.#endpoint.host, port: this.#endpoint.port })
    try {
      await once(server, 'listening')
    } catch (cause) {
      throw listenFailed(this.#endpoint, cause)
    }
    const address = server.address()
    if (address !== null && typeof address === 'object')
      this.#endpoint = { host: this.#endpoint.host, port: address.port }
    this.#state = { kind: 'listening', server }
  }

  async #stall(): Promise<void> {
    try {
      this.#state = { kind: 'stalled', port: await stallPort(this.#endpoint) }
    } catch (cause) {
      throw listenFailed(this.#endpoint, cause)
    }
  }

  async #stopListening(): Promise<void> {
    const state = this.#state
    this.#state = { kind: 'shut' }
    if (state.kind === 'stalled') await state.port.end()
    if (state.kind !== 'listening') return
    // The port is free as soon as close() returns; the event waits for the clients that were let in.
    this.#drained = Promise.all([this.#drained, once(state.server, 'close')])
    state.server.close()
  }
}

function listenFailed(at: Endpoint, cause: unknown): HaError {
  const where = formatEndpoint(at)
  const message = `fault proxy: cannot listen on ${where}; leave 'listen' out to get a free port, or free this one`
  return new HaError('config-invalid', message, { endpoint: where, cause })
}

/** A port whose accept queue is full and is never emptied. */
export interface StalledPort {
  /** Frees the port. Clients in the queue are reset; those that wait for an answer keep waiting. */
  end(): Promise<void>
}

// Node accepts whatever its event loop sees, so this listener's loop stands still, in a thread of its own. It is text
// because a worker's file would need another name in the sources than in the built package.
const listenerSource = `
const { parentPort, workerData } = require('node:worker_threads')
const server = require('node:net').createServer()
server.listen({ ...workerData.at, backlog: 1 }, () => {
  parentPort.postMessage('listening')
  Atomics.wait(workerData.hold, 0, 0)
  server.close()
})`
// Linux lets one connection more into the queue than its length, which is 1.
const queueCapacity = 2

/** Takes the port, which must be free, and fills its queue. */
export async function stallPort(at: Endpoint): Promise<StalledPort> {
  const hold = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(listenerSource, { eval: true, workerData: { at, hold } })
  await once(worker, 'message')
  const fillers: Socket[] = []
  const end = async (): Promise<void> => {
    for (const filler of fillers) filler.destroy()
    const gone = Promise.all([once(worker, 'exit'), ...fillers.map(socketClosed)])
    Atomics.store(hold, 0, 1)
    Atomics.notify(hold, 0)
    await gone
  }
  try {
    while (fillers.length < queueCapacity) fillers.push(await fillQueue(at))
  } catch (error) {
    await end()
    throw error
  }
  return { end }
}

async function fillQueue(at: Endpoint): Promise<Socket> {
  const socket = connect(at.port, at.host)
  await once(socket, 'connect')
  // Its end is expected: it was never accepted.
  socket.on('error', () => undefined)
  return socket
}

/**
 * How the proxy treats new clients.
 *
 * - `open`: accepted, and the proxy connects to the server.
 * - `refuse`: the listener is closed, so the kernel refuses.
 * - `silent`: accepted; what the client sends is read and dropped, nothing is answered, and no server is contacted.
 * - `close`: accepted and closed (FIN).
 * - `reset`: accepted and reset (RST).
 * - `stall`: not accepted: the listener's queue is full, the client's SYN gets no answer and its connect hangs. This
 *   is a real full queue of the kernel (seen on Linux; other systems may refuse instead). It is not a route that is
 *   gone: a client that waits is let in when the door opens again, at its kernel's next SYN, about a second later.
 */
export type AcceptMode = 'open' | 'refuse' | 'silent' | 'close' | 'reset' | 'stall'

/** The state of the port in each accept mode. */
export const portModes: Readonly<Record<AcceptMode, PortMode>> = {
  open: 'listening',
  refuse: 'shut',
  silent: 'listening',
  close: 'listening',
  reset: 'listening',
  stall: 'stalled',
}
