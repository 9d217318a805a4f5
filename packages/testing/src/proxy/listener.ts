import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { afterPoll } from './sockets.ts'
import { type StalledPort, stallPort } from './stalled-port.ts'

/** What the listener's port does with a client: lets it in, refuses it, or leaves its SYN without an answer. */
export type PortMode = 'listening' | 'shut' | 'stalled'

type State =
  | { readonly kind: 'shut' }
  | { readonly kind: 'listening'; readonly server: Server }
  | { readonly kind: 'stalled'; readonly port: StalledPort }

/** One port that can be opened, shut and stalled again and again. Its moves must not overlap. */
export class Listener {
  readonly #onClient: (socket: Socket) => void
  #at: Endpoint
  #state: State = { kind: 'shut' }
  #left: Promise<unknown> = Promise.resolve()

  /** @param at port 0 is any free one; once it listens, `endpoint` names it and it stays the same. */
  constructor(at: Endpoint, onClient: (socket: Socket) => void) {
    this.#at = at
    this.#onClient = onClient
  }

  get endpoint(): Endpoint {
    return this.#at
  }

  async become(mode: PortMode): Promise<void> {
    if (mode === this.#state.kind) return
    await this.#leave()
    if (mode === 'listening') await this.#listen()
    if (mode === 'stalled') await this.#stall()
  }

  /** Resolves when no handle of the port is left: once it is shut and every client that was let in is gone. */
  async released(): Promise<void> {
    await this.#left
    // A server says that it is closed a moment before its handle is.
    await new Promise<void>((resolve) => afterPoll(resolve))
  }

  async #listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, this.#onClient)
    server.listen({ host: this.#at.host, port: this.#at.port })
    try {
      await once(server, 'listening')
    } catch (cause) {
      throw notHad(this.#at, cause)
    }
    const address = server.address()
    if (address !== null && typeof address === 'object')
      this.#at = { host: this.#at.host, port: address.port }
    this.#state = { kind: 'listening', server }
  }

  async #stall(): Promise<void> {
    try {
      this.#state = { kind: 'stalled', port: await stallPort(this.#at) }
    } catch (cause) {
      throw notHad(this.#at, cause)
    }
  }

  async #leave(): Promise<void> {
    const state = this.#state
    this.#state = { kind: 'shut' }
    if (state.kind === 'stalled') await state.port.end()
    if (state.kind !== 'listening') return
    // The port is free as soon as close() returns; the event waits for the clients that were let in.
    this.#left = Promise.all([this.#left, once(state.server, 'close')])
    state.server.close()
  }
}

function notHad(at: Endpoint, cause: unknown): HaError {
  const where = formatEndpoint(at)
  const message = `fault proxy: cannot listen on ${where}; leave 'listen' out to get a free port, or free this one`
  return new HaError('config-invalid', message, { endpoint: where, cause })
}
