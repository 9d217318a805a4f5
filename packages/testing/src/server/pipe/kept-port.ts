import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { settle } from '@ha/core/testing'
import type { Socketlike } from './socketlike.ts'

/** A listening socket of a fake server, which keeps its port for life. */
export class KeptPort {
  readonly #host: string
  readonly #onSocket: (socket: Socketlike) => void
  #port = 0
  #server: Server | undefined

  constructor(host: string, onSocket: (socket: Socketlike) => void) {
    this.#host = host
    this.#onSocket = onSocket
  }

  /** Its number: 0 until it was opened for the first time. */
  get port(): number {
    return this.#port
  }

  /** Accepts. Does nothing when it is open. */
  async open(): Promise<void> {
    if (this.#server !== undefined) return
    const server = createServer((socket) => this.#onSocket(socketlike(socket)))
    this.#server = server
    server.listen(this.#port, this.#host)
    await once(server, 'listening')
    const address = server.address()
    if (address !== null && typeof address === 'object') this.#port = address.port
  }

  /** Refuses who comes from now on; resolves when the port is free. Who is inside stays. */
  async close(): Promise<void> {
    if (this.#leave() === undefined) return
    // The port is free when the event loop has gone round; 'close' would wait for the last who is inside.
    await settle()
  }

  /** Refuses who comes from now on; resolves when the last one who is inside has left. */
  async vacate(): Promise<void> {
    const server = this.#leave()
    if (server !== undefined) await once(server, 'close')
  }

  #leave(): Server | undefined {
    const server = this.#server
    this.#server = undefined
    return server?.close()
  }
}

function socketlike(socket: Socket): Socketlike {
  socket.setNoDelay(true)
  const reset = (): void => {
    socket.resetAndDestroy()
  }
  return {
    stream: socket,
    reset,
    resetBehind: () => {
      // A client in this process has read the bytes when the event loop has gone round once: the first immediate
      // belongs to the round that is on.
      socket.write(Buffer.alloc(0), () => setImmediate(() => setImmediate(reset)))
    },
  }
}
