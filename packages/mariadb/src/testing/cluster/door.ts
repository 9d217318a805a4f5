import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { Socketlike } from '../conversation/pipe.ts'

/** A listening socket that keeps its port for life. */
export class Door {
  readonly #host: string
  readonly #onSocket: (socket: Socketlike) => void
  #port = 0
  #server: Server | undefined

  constructor(host: string, onSocket: (socket: Socketlike) => void) {
    this.#host = host
    this.#onSocket = onSocket
  }

  /** Its port: 0 until it was opened for the first time. */
  get port(): number {
    return this.#port
  }

  async open(): Promise<void> {
    const server = createServer((socket) => this.#onSocket(resettable(socket)))
    this.#server = server
    server.listen(this.#port, this.#host)
    await once(server, 'listening')
    const address = server.address()
    if (address !== null && typeof address === 'object') this.#port = address.port
  }

  /** Refuses who comes from now on; resolves when the last one has left. */
  async close(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const closed = once(server, 'close')
    server.close()
    await closed
  }
}

function resettable(socket: Socket): Socketlike {
  socket.setNoDelay(true)
  return { stream: socket, reset: () => socket.resetAndDestroy() }
}
