import { type Duplex, duplexPair } from 'node:stream'

/** A request as the server's side receives it, decoded without the code under test. */
export interface Heard {
  readonly xid: number
  readonly opcode: number
  readonly body: Buffer
}

/** The server's end of a stream: it keeps what it receives and sends what the test tells it to. */
export class RawPeer {
  /** The first packet, which has no header. */
  connectRequest: Buffer | undefined
  readonly heard: Heard[] = []
  readonly stream: Duplex
  #unread: Buffer = Buffer.alloc(0)

  constructor(stream: Duplex) {
    this.stream = stream
    stream.on('data', (chunk: Buffer) => this.#read(chunk))
    stream.on('error', () => undefined)
  }

  say(...frames: readonly Buffer[]): void {
    this.stream.write(Buffer.concat(frames))
  }

  /** Sends a successful reply to every request that has none yet. */
  answerAll(zxid = 1n): void {
    this.say(...this.heard.splice(0).map(({ xid }) => reply(xid, { zxid })))
  }

  get opcodes(): readonly number[] {
    return this.heard.map(({ opcode }) => opcode)
  }

  #read(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk])
    while (this.#unread.length >= 4 && this.#unread.length >= 4 + this.#unread.readInt32BE(0)) {
      const end = 4 + this.#unread.readInt32BE(0)
      this.#take(this.#unread.subarray(4, end))
      this.#unread = this.#unread.subarray(end)
    }
  }

  #take(bytes: Buffer): void {
    if (this.connectRequest === undefined) this.connectRequest = bytes
    else this.heard.push({ xid: bytes.readInt32BE(0), opcode: bytes.readInt32BE(4), body: bytes.subarray(8) })
  }
}

/** Both ends of a stream in memory. */
export function rawPair(): { readonly stream: Duplex; readonly peer: RawPeer } {
  const [stream, other] = duplexPair()
  return { stream, peer: new RawPeer(other) }
}

export function framed(...parts: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(parts)
  return Buffer.concat([int(bytes.length), bytes])
}

export function int(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

export function long(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}

export function ustring(text: string): Buffer {
  return Buffer.concat([int(Buffer.byteLength(text)), Buffer.from(text)])
}

export interface Grant {
  readonly timeoutMs?: number
  readonly sessionId?: bigint
  readonly flag?: Buffer
}

/** The reply to a connect request. */
export function connectResponse({
  timeoutMs = 6_000,
  sessionId = 0x100n,
  flag = Buffer.of(0),
}: Grant = {}): Buffer {
  return framed(int(0), int(timeoutMs), long(sessionId), int(16), Buffer.alloc(16, 7), flag)
}

export interface Answer {
  readonly zxid?: bigint
  readonly err?: number
  readonly body?: Buffer
}

export function reply(xid: number, { zxid = 1n, err = 0, body = Buffer.alloc(0) }: Answer = {}): Buffer {
  return framed(int(xid), long(zxid), int(err), body)
}

export function event(type: number, path: string): Buffer {
  return framed(int(-1), long(-1n), int(0), int(type), int(3), ustring(path))
}

/** A stat whose fields are 1, 2, 3 and so on, in the order of the wire. */
export const stat: Buffer = Buffer.concat([
  long(1n),
  long(2n),
  long(3n),
  long(4n),
  int(5),
  int(6),
  int(7),
  long(8n),
  int(9),
  int(10),
  long(11n),
])
