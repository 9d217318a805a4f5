import type { Duplex } from 'node:stream'
import { framed } from '../../src/zookeeper/wire/frames.ts'
import { type AclEntry, JuteReader, JuteWriter, writeAcl } from '../../src/zookeeper/wire/records.ts'
import { type OpName, opCodes } from '../../src/zookeeper/wire/requests.ts'

/** What a server answered. */
export interface Reply {
  readonly xid: number
  readonly zxid: bigint
  readonly code: number
  readonly body: JuteReader
}

/** What a server granted. */
export interface Grant {
  readonly timeoutMs: number
  readonly sessionId: bigint
  readonly password: Buffer
  /** Undefined when the server did not speak of it. */
  readonly isReadOnly: boolean | undefined
}

export interface Hello {
  readonly timeoutMs?: number
  readonly sessionId?: bigint
  readonly password?: Buffer
  readonly lastZxidSeen?: bigint
  /** Whether the request has the flag of newer clients. Default true. */
  readonly isNew?: boolean
}

const everybody: readonly AclEntry[] = [{ permissions: 31, scheme: 'world', id: 'anyone' }]
const eventNames: Readonly<Record<number, string>> = {
  1: 'created',
  2: 'deleted',
  3: 'changed',
  4: 'children',
}

/** A client that speaks the protocol byte by byte, and says nothing on its own. */
export class RawClient {
  /** What it was told, in order: `created /a` for news, `reply 3` for answers, `end`. */
  readonly heard: string[] = []
  readonly #stream: Duplex
  readonly #waiting: ((reply: Reply | undefined) => void)[] = []
  #bytes: Buffer = Buffer.alloc(0)
  #xid = 0
  #isEnded = false
  #onGrant: ((grant: Grant | undefined) => void) | undefined

  constructor(stream: Duplex) {
    this.#stream = stream
    stream.on('data', (bytes: Buffer) => this.#receive(bytes))
    stream.on('error', (error: NodeJS.ErrnoException) => this.#end(String(error.code)))
    stream.on('close', () => this.#end('end'))
    stream.on('end', () => this.#end('end'))
  }

  /** Only the news. */
  get news(): readonly string[] {
    return this.heard.filter((each) => !each.startsWith('reply') && each !== 'end')
  }

  /** What it received behind the last frame. */
  get rest(): Buffer {
    return this.#bytes
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Asks for a session; undefined when the connection ended instead. */
  hello(hello: Hello = {}): Promise<Grant | undefined> {
    const writer = new JuteWriter()
      .int(0)
      .long(hello.lastZxidSeen ?? 0n)
      .int(hello.timeoutMs ?? 10_000)
      .long(hello.sessionId ?? 0n)
      .buffer(hello.password ?? Buffer.alloc(16))
    if (hello.isNew ?? true) writer.flag(false)
    return new Promise((resolve) => {
      this.#onGrant = resolve
      if (this.#isEnded) this.#settleGrant(undefined)
      else this.send(framed(writer.take()))
    })
  }

  /** Asks for something; undefined when the connection ended instead of an answer. */
  ask(op: OpName | number, body: JuteWriter = new JuteWriter(), xid?: number): Promise<Reply | undefined> {
    const type = typeof op === 'number' ? op : opCodes[op]
    this.#xid += 1
    const head = new JuteWriter()
      .int(xid ?? this.#xid)
      .int(type)
      .take()
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      if (this.#isEnded) this.#settleAll()
      else this.send(framed(Buffer.concat([head, body.take()])))
    })
  }

  /** Bytes as they are. */
  send(bytes: Uint8Array): void {
    this.#stream.write(bytes)
  }

  /** Goes away without a word. */
  leave(): void {
    this.#stream.destroy()
  }

  create(
    path: string,
    options: {
      readonly data?: Buffer | null
      readonly flags?: number
      readonly acl?: readonly AclEntry[]
      readonly op?: 'create' | 'create2' | 'create-container'
    } = {},
  ): Promise<Reply | undefined> {
    const { data = Buffer.alloc(0), flags = 0, acl = everybody, op = 'create2' } = options
    return this.ask(op, writeAcl(new JuteWriter().text(path).buffer(data), acl).int(flags))
  }

  createTtl(path: string, ttlMs: bigint): Promise<Reply | undefined> {
    const body = writeAcl(new JuteWriter().text(path).buffer(null), everybody).int(5).long(ttlMs)
    return this.ask('create-ttl', body)
  }

  read(
    op: 'exists' | 'get-data' | 'get-children' | 'get-children2',
    path: string,
    watch = false,
  ): Promise<Reply | undefined> {
    return this.ask(op, new JuteWriter().text(path).flag(watch))
  }

  set(path: string, data: string, version = -1): Promise<Reply | undefined> {
    return this.ask('set-data', new JuteWriter().text(path).buffer(Buffer.from(data)).int(version))
  }

  delete(path: string, version = -1): Promise<Reply | undefined> {
    return this.ask('delete', new JuteWriter().text(path).int(version))
  }

  auth(scheme: string, auth: string): Promise<Reply | undefined> {
    return this.ask('auth', new JuteWriter().int(0).text(scheme).buffer(Buffer.from(auth)), -4)
  }

  ping(): Promise<Reply | undefined> {
    return this.ask('ping', new JuteWriter(), -2)
  }

  close(): Promise<Reply | undefined> {
    return this.ask('close-session')
  }

  #receive(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    while (this.#bytes.length >= 4 && this.#bytes.length >= 4 + this.#bytes.readInt32BE()) {
      const end = 4 + this.#bytes.readInt32BE()
      const frame = this.#bytes.subarray(4, end)
      this.#bytes = this.#bytes.subarray(end)
      this.#hear(new JuteReader(frame))
    }
  }

  #hear(reader: JuteReader): void {
    if (this.#onGrant !== undefined) {
      reader.int()
      const [timeoutMs, sessionId, password] = [reader.int(), reader.long(), reader.buffer()!]
      const isReadOnly = reader.left > 0 ? reader.flag() : undefined
      this.#settleGrant({ timeoutMs, sessionId, password, isReadOnly })
      return
    }
    const [xid, zxid, code] = [reader.int(), reader.long(), reader.int()]
    if (xid !== -1) {
      this.heard.push(`reply ${xid}`)
      this.#waiting.shift()?.({ xid, zxid, code, body: reader })
      return
    }
    const type = reader.int()
    reader.int()
    this.heard.push(`${eventNames[type] ?? type} ${reader.text()}`)
  }

  #end(how: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.heard.push(how)
    this.#settleGrant(undefined)
    this.#settleAll()
  }

  #settleGrant(grant: Grant | undefined): void {
    this.#onGrant?.(grant)
    this.#onGrant = undefined
  }

  #settleAll(): void {
    for (const resolve of this.#waiting.splice(0)) resolve(undefined)
  }
}
