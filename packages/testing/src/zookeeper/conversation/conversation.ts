import { MalformedMessage } from '../../server/byte-cursor.ts'
import { Refusal } from '../tree/refusal.ts'
import { code } from '../wire/code.ts'
import { type ConnectRequest, decodeConnect, encodeConnected, overGrant } from '../wire/connect.ts'
import type { Frame, RecordFrame } from '../wire/frame.ts'
import { type EventKind, encodeEvent, encodeReply, eventTypes, noBody } from '../wire/reply.ts'
import { decodeRequest, type Numbered, type Request, xidOf } from '../wire/request.ts'
import type { Caller, Result } from './caller.ts'
import { type Answer, type ExchangeEnds, exchange, type Said } from './exchange.ts'
import { perform } from './perform.ts'
import type { Server } from './server.ts'

/** What a conversation needs from its node. */
export interface ConversationEnds extends Omit<ExchangeEnds, 'holdNews'> {
  readonly server: Server
  readonly connection: number
}

const loginXid = -4

type Phase =
  | { readonly kind: 'greeting' }
  | { readonly kind: 'open'; readonly caller: Caller }
  | { readonly kind: 'over' }

/** The server's side of one connection: it grants a session, and answers one request after the other. */
export class Conversation {
  readonly #ends: ConversationEnds
  readonly #exchangeEnds: ExchangeEnds
  #phase: Phase = { kind: 'greeting' }
  #isLeaving = false
  // News that wait behind an answer that is late: undefined when none is.
  #held: Buffer[] | undefined

  constructor(ends: ConversationEnds) {
    this.#ends = ends
    this.#exchangeEnds = { ...ends, holdNews: () => this.#holdNews() }
  }

  /** The session that it was granted; 0 before that and afterwards. */
  get session(): bigint {
    return this.#phase.kind === 'open' ? this.#phase.caller.session : 0n
  }

  /** Whether its client has ended the session itself: it is told so, and then the connection ends. */
  get isLeaving(): boolean {
    return this.#isLeaving
  }

  /** Talks until one of both has enough. Never rejects for what a client says. */
  async run(): Promise<void> {
    try {
      if (await this.#accept()) await this.#talk()
    } catch (error) {
      // Nobody knows where the next frame begins.
      if (!(error instanceof MalformedMessage)) throw error
    } finally {
      this.end()
      this.#ends.pipe.end({ do: 'cut', how: 'end' })
    }
  }

  /** It is over: its watches are forgotten, its session is not. */
  end(): void {
    if (this.#phase.kind === 'open') this.#ends.server.watches.forget(this.#phase.caller.watcher)
    this.#phase = { kind: 'over' }
  }

  #accept(): Promise<boolean> {
    const said: Said = { op: 'accept', paths: [], session: 0n, xid: 0, bytes: 0, said: undefined }
    return exchange(this.#exchangeEnds, { said, handle: async () => undefined, refuse: last })
  }

  async #talk(): Promise<void> {
    const first = await this.#next()
    if (first?.kind === 'word') this.#ends.pipe.write(Buffer.from(this.#ends.server.word(first.word)))
    if (first?.kind !== 'record' || !(await this.#greet(first))) return
    for (;;) {
      const frame = await this.#next()
      if (frame?.kind !== 'record' || this.#phase.kind !== 'open') return
      if (!(await this.#obey(frame, this.#phase.caller))) return
    }
  }

  async #greet({ body, wireBytes }: RecordFrame): Promise<boolean> {
    const request = decodeConnect(body)
    const { sessionId } = request
    const said: Said = {
      op: 'connect',
      paths: [],
      session: sessionId,
      xid: 0,
      bytes: wireBytes,
      said: request,
    }
    const goesOn = await exchange(this.#exchangeEnds, {
      said,
      handle: () => this.#admit(request),
      refuse: () => ({ isLast: true, encode: () => encodeConnected(overGrant, request) }),
    })
    return goesOn && this.#phase.kind === 'open'
  }

  async #admit(request: ConnectRequest): Promise<Answer | undefined> {
    const { server, connection } = this.#ends
    const granted = server.isServing ? await server.admit(request, connection) : undefined
    if (granted === undefined) return undefined
    const isOver = granted.timeoutMs === 0
    if (!isOver && this.#phase.kind === 'greeting') {
      const watcher = { notify: (kind: EventKind, path: string) => this.#notify(kind, path) }
      const names = [{ scheme: 'ip', id: '127.0.0.1' }]
      this.#phase = { kind: 'open', caller: { session: granted.sessionId, connection, names, watcher } }
    }
    return { isLast: isOver, encode: () => encodeConnected(granted, request) }
  }

  async #obey({ body, wireBytes }: RecordFrame, caller: Caller): Promise<boolean> {
    const numbered = decoded(body)
    const { request, xid } = numbered
    const { op } = request
    const { session } = caller
    const said: Said = { op, paths: pathsOf(request), session, xid, bytes: wireBytes, said: request }
    return exchange(this.#exchangeEnds, {
      said,
      handle: () => this.#perform(numbered, caller),
      refuse: (refused) => this.#answer(xid, { code: refused, body: noBody, isLast: false }),
    })
  }

  async #perform({ xid, request, isBroken }: Decoded, caller: Caller): Promise<Answer | undefined> {
    const { server } = this.#ends
    server.touch(caller.session)
    this.#isLeaving = request.op === 'close-session'
    if (server.isMoved(caller)) return last()
    try {
      if (isBroken) throw new Refusal(code.marshallingError)
      const result = await perform(server, caller, request)
      return result === undefined ? undefined : this.#answer(xid, result)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (error.code === code.sessionMoved) return last()
      return this.#answer(xid, { code: error.code, body: noBody, isLast: false })
    }
  }

  #answer(xid: number, result: Result): Answer {
    const { isLast, body } = result
    // Who logs in is told of no transaction.
    const zxid = xid === loginXid ? 0n : this.#ends.server.tree.lastZxid
    const encode = (misnumber: number): Buffer =>
      encodeReply({ xid: xid + misnumber, zxid, code: result.code }, body)
    return { isLast, encode }
  }

  #notify(kind: EventKind, path: string): void {
    const bytes = encodeEvent(eventTypes[kind], path)
    if (this.#held === undefined) this.#ends.pipe.write(bytes)
    else this.#held.push(bytes)
  }

  #holdNews(): () => void {
    const held: Buffer[] = []
    this.#held = held
    return () => {
      this.#held = undefined
      for (const bytes of held) this.#ends.pipe.write(bytes)
    }
  }

  // A process that stands still reads nothing and does nothing, even what it has read already.
  async #next(): Promise<Frame | undefined> {
    const frame = await this.#ends.pipe.read()
    await this.#ends.awake()
    return frame
  }
}

interface Decoded extends Numbered {
  /** Whether it breaks off before its end. */
  readonly isBroken: boolean
}

function decoded(body: Buffer): Decoded {
  try {
    return { ...decodeRequest(body), isBroken: false }
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    return { xid: xidOf(body), request: { op: 'unknown', type: 0 }, isBroken: true }
  }
}

function pathsOf(request: Request): readonly string[] {
  if (request.op === 'multi') return request.parts.map((part) => part.path)
  return 'path' in request ? [request.path] : []
}

// The connection ends without a word.
function last(): Answer {
  return { isLast: true, encode: () => noBody }
}
