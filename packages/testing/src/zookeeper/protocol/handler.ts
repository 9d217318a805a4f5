import { MalformedMessage } from '../../server/byte-cursor.ts'
import { answerUpTo, isLostAt, type RequestOutcome, startWaits, type WaitDeps } from '../../server/rules.ts'
import type { ScriptedPipe } from '../../server/scripted-pipe.ts'
import type { OperationName, PlannedInjection, RequestPlan } from '../rules.ts'
import {
  type ConnectRequest,
  decodeConnectRequest,
  encodeConnectResponse,
  expiredSession,
} from '../wire/connect.ts'
import { errorCode, KeeperException } from '../wire/errors.ts'
import type { ClientMessage, RecordFrame } from '../wire/frames.ts'
import { type EventKind, encodeEvent, encodeReply, eventTypes, noBody } from '../wire/replies.ts'
import { decodeRequest, type NumberedRequest, type Request, xidOf } from '../wire/requests.ts'
import { type Caller, type OperationResult, perform } from './operations.ts'
import type { KeeperServer } from './server.ts'

/** What a protocol handler needs from its connection. */
export interface ProtocolHandlerDeps extends Omit<ExchangeDeps, 'holdEvents'> {
  readonly server: KeeperServer
  readonly connection: number
}

const loginXid = -4

type Phase =
  | { readonly kind: 'greeting' }
  | { readonly kind: 'open'; readonly caller: Caller }
  | { readonly kind: 'over' }

/** The server's side of one connection: it grants a session and answers requests in order. */
export class ProtocolHandler {
  readonly #deps: ProtocolHandlerDeps
  readonly #exchangeDeps: ExchangeDeps
  #phase: Phase = { kind: 'greeting' }
  #isLeaving = false
  // Watch events that wait behind a delayed answer; undefined when no answer is delayed.
  #heldEvents: Buffer[] | undefined

  constructor(deps: ProtocolHandlerDeps) {
    this.#deps = deps
    this.#exchangeDeps = { ...deps, holdEvents: () => this.#holdEvents() }
  }

  /** The id of its session; 0 before it is granted and after the end. */
  get session(): bigint {
    return this.#phase.kind === 'open' ? this.#phase.caller.session : 0n
  }

  /** Whether its client has closed the session itself: it is answered first, and then the connection ends. */
  get isLeaving(): boolean {
    return this.#isLeaving
  }

  /** Serves the client until one side ends the connection. Never rejects for what a client sends. */
  async run(): Promise<void> {
    try {
      if (await this.#accept()) await this.#serveAll()
    } catch (error) {
      // Where the next frame begins is unknown.
      if (!(error instanceof MalformedMessage)) throw error
    } finally {
      this.end()
      this.#deps.pipe.end({ do: 'cut', how: 'end' })
    }
  }

  /** Ends the protocol: its watches are removed, its session stays. */
  end(): void {
    if (this.#phase.kind === 'open') this.#deps.server.watches.forget(this.#phase.caller.watcher)
    this.#phase = { kind: 'over' }
  }

  #accept(): Promise<boolean> {
    const received: ReceivedOperation = {
      op: 'accept',
      paths: [],
      session: 0n,
      xid: 0,
      bytes: 0,
      request: undefined,
    }
    return exchange(this.#exchangeDeps, {
      received,
      handle: async () => undefined,
      refuse: closeSilently,
    })
  }

  async #serveAll(): Promise<void> {
    const first = await this.#next()
    if (first?.kind === 'word') this.#deps.pipe.write(Buffer.from(this.#deps.server.word(first.word)))
    if (first?.kind !== 'record' || !(await this.#handshake(first))) return
    for (;;) {
      const frame = await this.#next()
      if (frame?.kind !== 'record' || this.#phase.kind !== 'open') return
      if (!(await this.#serve(frame, this.#phase.caller))) return
    }
  }

  async #handshake({ body, wireBytes }: RecordFrame): Promise<boolean> {
    const request = decodeConnectRequest(body)
    const { sessionId } = request
    const received: ReceivedOperation = {
      op: 'connect',
      paths: [],
      session: sessionId,
      xid: 0,
      bytes: wireBytes,
      request: request,
    }
    const goesOn = await exchange(this.#exchangeDeps, {
      received,
      handle: () => this.#admit(request),
      refuse: () => ({ isLast: true, encode: () => encodeConnectResponse(expiredSession, request) }),
    })
    return goesOn && this.#phase.kind === 'open'
  }

  async #admit(request: ConnectRequest): Promise<Answer | undefined> {
    const { server, connection } = this.#deps
    const granted = server.isServing ? await server.admit(request, connection) : undefined
    if (granted === undefined) return undefined
    const isOver = granted.timeoutMs === 0
    if (!isOver && this.#phase.kind === 'greeting') {
      const watcher = { notify: (kind: EventKind, path: string) => this.#notify(kind, path) }
      const names = [{ scheme: 'ip', id: '127.0.0.1' }]
      this.#phase = { kind: 'open', caller: { session: granted.sessionId, connection, names, watcher } }
    }
    return { isLast: isOver, encode: () => encodeConnectResponse(granted, request) }
  }

  async #serve({ body, wireBytes }: RecordFrame, caller: Caller): Promise<boolean> {
    const numbered = decoded(body)
    const { request, xid } = numbered
    const { op } = request
    const { session } = caller
    const received: ReceivedOperation = {
      op,
      paths: pathsOf(request),
      session,
      xid,
      bytes: wireBytes,
      request: request,
    }
    return exchange(this.#exchangeDeps, {
      received,
      handle: () => this.#perform(numbered, caller),
      refuse: (refused) => this.#answer(xid, { code: refused, body: noBody, isLast: false }),
    })
  }

  async #perform({ xid, request, isBroken }: Decoded, caller: Caller): Promise<Answer | undefined> {
    const { server } = this.#deps
    server.touch(caller.session)
    this.#isLeaving = request.op === 'close-session'
    if (server.isMoved(caller)) return closeSilently()
    try {
      if (isBroken) throw new KeeperException(errorCode.marshallingError)
      const result = await perform(server, caller, request)
      return result === undefined ? undefined : this.#answer(xid, result)
    } catch (error) {
      if (!(error instanceof KeeperException)) throw error
      if (error.code === errorCode.sessionMoved) return closeSilently()
      return this.#answer(xid, { code: error.code, body: noBody, isLast: false })
    }
  }

  #answer(xid: number, result: OperationResult): Answer {
    const { isLast, body } = result
    // The answer to a log-in has no zxid.
    const zxid = xid === loginXid ? 0n : this.#deps.server.tree.lastZxid
    const encode = (misnumber: number): Buffer =>
      encodeReply({ xid: xid + misnumber, zxid, code: result.code }, body)
    return { isLast, encode }
  }

  #notify(kind: EventKind, path: string): void {
    const bytes = encodeEvent(eventTypes[kind], path)
    if (this.#heldEvents === undefined) this.#deps.pipe.write(bytes)
    else this.#heldEvents.push(bytes)
  }

  #holdEvents(): () => void {
    const held: Buffer[] = []
    this.#heldEvents = held
    return () => {
      this.#heldEvents = undefined
      for (const bytes of held) this.#deps.pipe.write(bytes)
    }
  }

  // A stopped process reads nothing and handles nothing, not even what it has read already.
  async #next(): Promise<ClientMessage | undefined> {
    const frame = await this.#deps.pipe.read()
    await this.#deps.awake()
    return frame
  }
}

interface Decoded extends NumberedRequest {
  /** Whether it is truncated. */
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

// The connection ends without an answer.
function closeSilently(): Answer {
  return { isLast: true, encode: () => noBody }
}

/** A request, as rules and the log see it. */
interface ReceivedOperation {
  readonly op: OperationName
  readonly paths: readonly string[]
  readonly session: bigint
  readonly xid: number
  readonly bytes: number
  readonly request: Request | ConnectRequest | undefined
}

/** What an {@link exchange} needs from its connection. */
interface ExchangeDeps extends WaitDeps {
  readonly pipe: ScriptedPipe<ClientMessage>
  readonly planOf: (received: ReceivedOperation) => RequestPlan
  /** Logs a request. */
  readonly record: (received: ReceivedOperation, outcome: RequestOutcome) => void
  /** Holds watch events back until the returned function is called: an answer is sent before later events. */
  readonly holdEvents: () => () => void
}

/** The answer to a request. */
interface Answer {
  /** Whether the connection ends behind it. */
  readonly isLast: boolean
  /** Encodes the frame, with an xid that is so much off. */
  readonly encode: (misnumber: number) => Buffer
}

/** One request, and how it is answered. */
interface Exchange {
  readonly received: ReceivedOperation
  /** Executes it; undefined when it is never answered. */
  readonly handle: () => Promise<Answer | undefined>
  /** The answer of a rule. */
  readonly refuse: (code: number) => Answer
}

/** Answers one request as the script plans it; false when the connection is over. */
async function exchange(deps: ExchangeDeps, one: Exchange): Promise<boolean> {
  const { pipe } = deps
  const plan = deps.planOf(one.received)
  const { ending } = plan
  const outcome = outcomeOf(plan, one.received.bytes)
  const [before, late] = [startWaits(deps, plan.before), startWaits(deps, plan.beforeAnswer)]
  deps.record(one.received, outcome)
  let isLast = false
  if (outcome !== 'lost') {
    await before()
    const answer = plan.code === undefined ? await one.handle() : one.refuse(plan.code)
    const letNewsOut = deps.holdEvents()
    await late()
    if (answer !== undefined && plan.ignored === undefined) writeAnswer(pipe, answer, plan)
    letNewsOut()
    isLast = answer?.isLast ?? false
  }
  if (ending === undefined) return !isLast
  pipe.end(ending.act)
  return ending.act.do === 'silence'
}

function outcomeOf({ ending, code, ignored }: RequestPlan, wireBytes: number): RequestOutcome {
  if (ignored === 'before') return 'lost'
  if (ending !== undefined && isLostAt(ending.at, wireBytes)) return 'lost'
  return code === undefined ? 'done' : 'scripted'
}

function writeAnswer(
  pipe: ScriptedPipe<ClientMessage>,
  answer: Answer,
  { misnumber, injected, ending, pieceBytes }: RequestPlan,
): void {
  inject(pipe, injected, 'before')
  const bytes = answer.encode(misnumber)
  const sent = ending === undefined ? bytes : answerUpTo(ending.at, bytes)
  const step = Math.min(pieceBytes, Math.max(sent.length, 1))
  for (let at = 0; at < sent.length; at += step) pipe.write(sent.subarray(at, at + step))
  inject(pipe, injected, 'after')
}

function inject(
  pipe: ScriptedPipe<ClientMessage>,
  injected: readonly PlannedInjection[],
  at: PlannedInjection['at'],
): void {
  for (const each of injected) if (each.at === at) pipe.write(each.bytes)
}
