import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { settle } from '@ha/core/testing'

/** A fake server's end of a connection: a stream, and how it is ended by force. */
export interface ServerSocket {
  readonly stream: Duplex
  /** Ends it at once, so that the other side reads ECONNRESET. */
  readonly reset: () => void
  /**
   * The same after the other side has read what was sent: a reader that finds bytes and an RST together sees only the
   * RST.
   */
  readonly resetAfterRead: () => void
}

/** The listening port of a fake server; the number stays the same for life. */
export class ListeningPort {
  readonly #host: string
  readonly #onSocket: (socket: ServerSocket) => void
  #port = 0
  #server: Server | undefined

  constructor(host: string, onSocket: (socket: ServerSocket) => void) {
    this.#host = host
    this.#onSocket = onSocket
  }

  /** The number of the port; 0 until it is opened for the first time. */
  get port(): number {
    return this.#port
  }

  /** Listens. Does nothing when it is open. */
  async open(): Promise<void> {
    if (this.#server !== undefined) return
    const server = createServer((socket) => this.#onSocket(serverSocket(socket)))
    this.#server = server
    server.listen(this.#port, this.#host)
    await once(server, 'listening')
    const address = server.address()
    if (address !== null && typeof address === 'object') this.#port = address.port
  }

  /** Refuses new connections; resolves when the port is free. Open connections stay. */
  async close(): Promise<void> {
    if (this.#stopListening() === undefined) return
    // The port is free after one turn of the event loop; 'close' would wait for the last open connection.
    await settle()
  }

  /** Refuses new connections; resolves when the last open one is closed. */
  async drain(): Promise<void> {
    const server = this.#stopListening()
    if (server !== undefined) await once(server, 'close')
  }

  #stopListening(): Server | undefined {
    const server = this.#server
    this.#server = undefined
    return server?.close()
  }
}

function serverSocket(socket: Socket): ServerSocket {
  socket.setNoDelay(true)
  const reset = (): void => {
    socket.resetAndDestroy()
  }
  return {
    stream: socket,
    reset,
    resetAfterRead: () => {
      // A client in this process has read the bytes after one turn of the event loop: the first immediate
      // belongs to the round that is on.
      socket.write(Buffer.alloc(0), () => setImmediate(() => setImmediate(reset)))
    },
  }
}

/** Both ends of a connection that never leaves this process. */
interface MemorySocketPair {
  /** The client's end: like a connected socket, without timers and addresses. */
  readonly client: Duplex
  readonly server: ServerSocket
}

/** Connects two ends in memory. Written bytes wait in a buffer without limit until the other end reads them. */
export function memorySocketPair(): MemorySocketPair {
  const client: Duplex = duplexEnd(() => server)
  const server: Duplex = duplexEnd(() => client)
  const reset = (): void => {
    client.destroy(connectionReset())
    server.destroy()
  }
  return {
    client,
    // The client reads what is written in the same turn, and reacts to it before the next one.
    server: { stream: server, reset, resetAfterRead: () => void setImmediate(reset) },
  }
}

/** The error of a refused connection to an address such as `127.0.0.1:40001`. */
export function connectionRefused(address: string): Error {
  const error = new Error(`connect ECONNREFUSED ${address}`)
  return Object.assign(error, { code: 'ECONNREFUSED', errno: -111, syscall: 'connect' })
}

function duplexEnd(other: () => Duplex): Duplex {
  let isOver = false
  const finish = (): void => {
    if (isOver) return
    isOver = true
    if (!other().destroyed) other().push(null)
  }
  return new Duplex({
    allowHalfOpen: false,
    read: () => undefined,
    write: (bytes: Buffer, _encoding, done) => {
      if (!other().destroyed && bytes.length > 0) other().push(bytes)
      done()
    },
    final: (done) => {
      finish()
      done()
    },
    destroy: (error, done) => {
      finish()
      done(error)
    },
  })
}

function connectionReset(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', errno: -104, syscall: 'read' })
}
