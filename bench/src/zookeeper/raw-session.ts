import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { wallMs } from '../harness/wall-clock.ts'
import { addressOf } from './ensemble.ts'
import { flag, int, RawAnswer, sized, text } from './raw-bytes.ts'

/** A node as a raw session reads it. */
export interface RawNode {
  readonly data: Buffer
  readonly czxid: bigint
  readonly version: number
  readonly ephemeralOwner: bigint
  /** How often a child was made or removed. */
  readonly childChanges: number
}

// Far longer than anything that a drill does with one.
const sessionTimeoutMs = 20_000

const noNode = -101

const openToAll = Buffer.concat([int(1), int(31), text('world'), text('anyone')])

/**
 * A session on one server, on one connection, without anything that survives a fault: the ruler of the floor, and the
 * witness that depends on no client under test. Its calls reject when the connection ends.
 */
export class RawSession {
  readonly #socket: Socket
  readonly #waiting: { resolve(answer: RawAnswer): void; reject(error: Error): void }[] = []
  #unread = Buffer.alloc(0)
  #xid = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay()
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the connection has ended'))
    })
  }

  /** Dials a server and begins a session; gives up after `timeoutMs`, which is also how long any call may be silent. */
  static async open(endpoint: string, timeoutMs = 20_000): Promise<RawSession> {
    const socket = connect(addressOf(endpoint))
    const session = new RawSession(socket)
    socket.setTimeout(timeoutMs, () => socket.destroy())
    try {
      await Promise.race([
        once(socket, 'connect'),
        once(socket, 'close').then(() => Promise.reject(new Error(`${endpoint} cannot be reached`))),
      ])
      const hello = [
        int(0),
        Buffer.alloc(8),
        int(sessionTimeoutMs),
        Buffer.alloc(8),
        sized(Buffer.alloc(16)),
        flag(false),
      ]
      await session.#send(Buffer.concat(hello))
      return session
    } catch (error) {
      socket.destroy()
      throw error
    }
  }

  async create(path: string, data = ''): Promise<void> {
    await this.#ask(1, text(path), text(data), openToAll, int(0))
  }

  async set(path: string, data: string): Promise<void> {
    await this.#ask(5, text(path), text(data), int(-1))
  }

  /** Undefined when there is no such node. */
  async get(path: string): Promise<RawNode | undefined> {
    const answer = await this.#askOf(4, text(path), flag(false))
    if (answer === undefined) return undefined
    const data = answer.sized()
    const czxid = answer.long()
    for (const _ of ['mzxid', 'ctime', 'mtime']) answer.long()
    const [version, childChanges] = [answer.int(), answer.int()]
    answer.int()
    return { data, czxid, version, childChanges, ephemeralOwner: answer.long() }
  }

  /** Names; none when there is no such node. */
  async children(path: string): Promise<readonly string[]> {
    return (await this.#askOf(8, text(path), flag(false)))?.texts() ?? []
  }

  /** Reads after it are not stale. */
  async sync(): Promise<void> {
    await this.#ask(9, text('/'))
  }

  /** Ends the session, without waiting for the server's word. */
  end(): void {
    this.#socket.end(sized(Buffer.concat([int(++this.#xid), int(-11)])))
    // The word of the server is nobody's any more, and one that is frozen never says it.
    this.#socket.setTimeout(1_000)
  }

  async #askOf(type: number, ...body: readonly Buffer[]): Promise<RawAnswer | undefined> {
    const answer = await this.#send(Buffer.concat([int(++this.#xid), int(type), ...body]))
    answer.int()
    answer.long()
    const code = answer.int()
    if (code === noNode) return undefined
    if (code !== 0) throw new Error(`the server says ${code}`)
    return answer
  }

  async #ask(type: number, ...body: readonly Buffer[]): Promise<void> {
    if ((await this.#askOf(type, ...body)) === undefined) throw new Error('there is no such node')
  }

  #send(message: Buffer): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(new Error('the connection has ended'))
        return
      }
      this.#waiting.push({ resolve, reject })
      this.#socket.write(sized(message))
    })
  }

  // Answers come in the order of the questions, and nothing is watched.
  #read(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk])
    while (this.#unread.length >= 4 && this.#unread.length >= 4 + this.#unread.readInt32BE(0)) {
      const end = 4 + this.#unread.readInt32BE(0)
      this.#waiting.shift()?.resolve(new RawAnswer(this.#unread.subarray(4, end)))
      this.#unread = this.#unread.subarray(end)
    }
  }
}

/** Dials, works, and ends the session. */
export async function onSession<T>(
  endpoint: string,
  work: (session: RawSession) => Promise<T>,
  timeoutMs?: number,
): Promise<T> {
  const session = await RawSession.open(endpoint, timeoutMs)
  try {
    return await work(session)
  } finally {
    session.end()
  }
}

const patienceMs = 20_000
const againMs = 200

/** Dials and works until it succeeds: for a witness, whose question matters and not when it was asked. */
export async function witness<T>(endpoint: string, work: (session: RawSession) => Promise<T>): Promise<T> {
  const untilMs = wallMs() + patienceMs
  for (;;) {
    try {
      return await onSession(endpoint, work)
    } catch (error) {
      if (wallMs() > untilMs) throw error
      await sleep(againMs)
    }
  }
}

/** The ephemerals directly below a node, with the transaction that made each. */
export function ephemeralsBelow(endpoint: string, folder: string): Promise<ReadonlyMap<string, bigint>> {
  return witness(endpoint, async (session) => {
    await session.sync()
    const names = await session.children(folder)
    const nodes = await Promise.all(
      names.map(async (name) => [name, await session.get(`${folder}/${name}`)] as const),
    )
    return new Map(
      nodes.flatMap(([name, node]) => (node?.ephemeralOwner ? [[name, node.czxid] as const] : [])),
    )
  })
}
