import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { wallMs } from '../harness/timing.ts'
import { addressOf } from './ensemble.ts'

/** A node as a raw session reads it. */
interface RawNode {
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

const openToAll = Buffer.concat([int(1), int(31), ustring('world'), ustring('anyone')])

/**
 * A session on one server, on one connection, without anything that survives a fault: the ruler of the floor, and the
 * witness that depends on no client under test. Its calls reject when the connection ends.
 */
export class RawSession {
  readonly #socket: Socket
  readonly #waiting: { resolve(response: ResponseReader): void; reject(error: Error): void }[] = []
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
      const connectRequest = [
        int(0),
        Buffer.alloc(8),
        int(sessionTimeoutMs),
        Buffer.alloc(8),
        buffer(Buffer.alloc(16)),
        bool(false),
      ]
      await session.#send(Buffer.concat(connectRequest))
      return session
    } catch (error) {
      socket.destroy()
      throw error
    }
  }

  async create(path: string, data = ''): Promise<void> {
    await this.#request(1, ustring(path), ustring(data), openToAll, int(0))
  }

  async set(path: string, data: string): Promise<void> {
    await this.#request(5, ustring(path), ustring(data), int(-1))
  }

  /** Undefined when there is no such node. */
  async get(path: string): Promise<RawNode | undefined> {
    const response = await this.#requestOptional(4, ustring(path), bool(false))
    if (response === undefined) return undefined
    const data = response.buffer()
    const czxid = response.long()
    for (const _ of ['mzxid', 'ctime', 'mtime']) response.long()
    const [version, childChanges] = [response.int(), response.int()]
    response.int()
    return { data, czxid, version, childChanges, ephemeralOwner: response.long() }
  }

  /** Names; none when there is no such node. */
  async children(path: string): Promise<readonly string[]> {
    return (await this.#requestOptional(8, ustring(path), bool(false)))?.ustrings() ?? []
  }

  /** Reads after it are not stale. */
  async sync(): Promise<void> {
    await this.#request(9, ustring('/'))
  }

  /** Ends the session, without waiting for the server's word. */
  end(): void {
    this.#socket.end(buffer(Buffer.concat([int(++this.#xid), int(-11)])))
    // The response is not needed, and a frozen server never sends it.
    this.#socket.setTimeout(1_000)
  }

  async #requestOptional(type: number, ...body: readonly Buffer[]): Promise<ResponseReader | undefined> {
    const response = await this.#send(Buffer.concat([int(++this.#xid), int(type), ...body]))
    response.int()
    response.long()
    const code = response.int()
    if (code === noNode) return undefined
    if (code !== 0) throw new Error(`the server says ${code}`)
    return response
  }

  async #request(type: number, ...body: readonly Buffer[]): Promise<void> {
    if ((await this.#requestOptional(type, ...body)) === undefined) throw new Error('there is no such node')
  }

  #send(message: Buffer): Promise<ResponseReader> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(new Error('the connection has ended'))
        return
      }
      this.#waiting.push({ resolve, reject })
      this.#socket.write(buffer(message))
    })
  }

  // Answers come in the order of the questions, and nothing is watched.
  #read(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk])
    while (this.#unread.length >= 4 && this.#unread.length >= 4 + this.#unread.readInt32BE(0)) {
      const end = 4 + this.#unread.readInt32BE(0)
      this.#waiting.shift()?.resolve(new ResponseReader(this.#unread.subarray(4, end)))
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

const timeoutAfterMs = 20_000
const againMs = 200

/** Dials and works until it succeeds: for a witness, whose question matters and not when it was asked. */
export async function readReliably<T>(
  endpoint: string,
  work: (session: RawSession) => Promise<T>,
): Promise<T> {
  const untilMs = wallMs() + timeoutAfterMs
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
  return readReliably(endpoint, async (session) => {
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

/** A whole number of four bytes. */
function int(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** Bytes behind their length. */
function buffer(bytes: Uint8Array): Buffer {
  return Buffer.concat([int(bytes.length), bytes])
}

function ustring(value: string): Buffer {
  return buffer(Buffer.from(value))
}

function bool(value: boolean): Buffer {
  return Buffer.from([value ? 1 : 0])
}

/** Reads what a server wrote, from the front. */
class ResponseReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  long(): bigint {
    this.#at += 8
    return this.#bytes.readBigInt64BE(this.#at - 8)
  }

  buffer(): Buffer {
    const length = Math.max(0, this.int())
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  ustring(): string {
    return this.buffer().toString()
  }

  ustrings(): readonly string[] {
    return Array.from({ length: Math.max(0, this.int()) }, () => this.ustring())
  }
}
