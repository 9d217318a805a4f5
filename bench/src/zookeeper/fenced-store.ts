import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { deferred } from '@ha/core/driver'
import { wallMs } from '../harness/timing.ts'

// Longer than a lock stays free after any fault.
const timeoutAfterMs = 60_000

/** A write to the store, as it arrived. */
export interface StoreWrite {
  readonly atMs: number
  readonly by: string
  readonly token: bigint
  /** Whether the writer held its lease to be valid when it sent this. */
  readonly isClaimed: boolean
  readonly isAccepted: boolean
}

/** What a writer says. */
interface StoreRequest {
  readonly number: number
  readonly by: string
  readonly pid: number
  readonly token: string
  readonly isClaimed: boolean
}

/** What the store says. */
interface StoreResponse {
  readonly number: number
  readonly isAccepted: boolean
  /** The writer stops itself (SIGSTOP); the store's process resumes it. */
  readonly freeze: boolean
}

/**
 * A store protected by fencing tokens: it remembers the highest token and rejects writes with a lower one.
 */
export class FencedStore implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #writes: StoreWrite[] = []
  #highest = -1n
  #onHolder: ((pid: number) => void) | undefined

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket) => this.#serve(socket))
  }

  static async open(): Promise<FencedStore> {
    const server = createServer()
    const store = new FencedStore(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return store
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get writes(): readonly StoreWrite[] {
    return this.#writes
  }

  /** Makes the next accepted writer stop itself for a while; resolves when it runs again, has ended, or no write came. */
  async freezeHolder(forMs: number): Promise<void> {
    const holder = deferred<number | undefined>()
    this.#onHolder = holder.resolve
    const tooLate = setTimeout(() => holder.resolve(undefined), timeoutAfterMs)
    const pid = await holder.promise
    clearTimeout(tooLate)
    this.#onHolder = undefined
    if (pid === undefined) return
    await new Promise((resolve) => setTimeout(resolve, forMs))
    try {
      process.kill(pid, 'SIGCONT')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    readLines(socket, (line) => {
      socket.write(`${JSON.stringify(this.#take(JSON.parse(line) as StoreRequest))}\n`)
    })
  }

  #take({ number, by, pid, token: given, isClaimed }: StoreRequest): StoreResponse {
    const token = BigInt(given)
    const isAccepted = token >= this.#highest
    if (isAccepted) this.#highest = token
    this.#writes.push({ atMs: wallMs(), by, token, isClaimed, isAccepted })
    const freeze = isAccepted && isClaimed && this.#onHolder !== undefined
    if (freeze) {
      this.#onHolder?.(pid)
      this.#onHolder = undefined
    }
    return { number, isAccepted, freeze }
  }
}

/** A writer's line to the protected store. */
export class StoreClient {
  readonly #socket: Socket
  readonly #by: string
  readonly #open = new Map<number, (answer: StoreResponse) => void>()
  #number = 0

  private constructor(socket: Socket, by: string) {
    this.#socket = socket
    this.#by = by
    socket.setNoDelay()
    readLines(socket, (line) => {
      const answer = JSON.parse(line) as StoreResponse
      this.#open.get(answer.number)?.(answer)
      this.#open.delete(answer.number)
    })
  }

  static async dial(port: number, by: string): Promise<StoreClient> {
    const socket = connect({ host: '127.0.0.1', port })
    await once(socket, 'connect')
    return new StoreClient(socket, by)
  }

  write(token: bigint, isClaimed: boolean): Promise<StoreResponse> {
    const number = ++this.#number
    const order: StoreRequest = { number, by: this.#by, pid: process.pid, token: String(token), isClaimed }
    return new Promise((resolve) => {
      this.#open.set(number, resolve)
      this.#socket.write(`${JSON.stringify(order)}\n`)
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** Hears a socket line by line; nothing that it fails with ends the process. */
function readLines(socket: Socket, onLine: (line: string) => void): void {
  socket.on('error', () => undefined)
  const lines = createInterface({ input: socket })
  // It passes on what the socket fails with.
  lines.on('error', () => undefined)
  lines.on('line', onLine)
}
