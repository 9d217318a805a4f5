import { createHash } from 'node:crypto'
import { MalformedMessage } from '../../server/byte-cursor.ts'
import { ServerError, serverError } from '../engine/errors.ts'
import type { Server } from '../engine/server.ts'
import { Session } from '../engine/session.ts'
import { okAnswer } from '../wire/answer.ts'
import { encodeError } from '../wire/answers.ts'
import { type Command, decodeCommand } from '../wire/command.ts'
import { capability } from '../wire/flags.ts'
import { encodeGreeting } from '../wire/greeting.ts'
import { decodeChangeUser, decodeHandshake, type LogIn } from '../wire/log-in.ts'
import { encodePackets, type Packet } from '../wire/packet.ts'
import { type ExchangeEnds, exchange } from './exchange.ts'
import { encoded, type Performer, perform } from './perform.ts'
import { Statements } from './statements.ts'
import { checkLogIn, type Users } from './users.ts'

/** What a conversation needs from its node. */
export interface ConversationEnds extends ExchangeEnds {
  readonly server: Server
  readonly users: Users
  readonly connectionId: number
  /** Another client has killed this connection. */
  readonly onKilled: () => void
}

type State =
  | { readonly kind: 'greeting' }
  | { readonly kind: 'open'; readonly performer: Performer }
  | { readonly kind: 'over' }

/** The server's side of one connection: it greets, lets in, and answers one command after the other. */
export class Conversation {
  readonly #ends: ConversationEnds
  readonly #seed: Buffer
  #state: State = { kind: 'greeting' }

  constructor(ends: ConversationEnds) {
    this.#ends = ends
    this.#seed = seedOf(ends.connectionId)
  }

  /** Talks until one of both has enough. Never rejects for what a client says. */
  async run(): Promise<void> {
    try {
      if (await this.#greet()) await this.#obeyAll()
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      const refusal = serverError('malformedPacket', error.message)
      this.#ends.pipe.write(encodePackets([encodeError(refusal.answer)], 1))
    } finally {
      this.end()
      this.#ends.pipe.end({ do: 'cut', how: 'end' })
    }
  }

  /** It is over: what the client did not commit is gone. */
  end(): void {
    const state = this.#state
    this.#state = { kind: 'over' }
    if (state.kind === 'open') state.performer.session.end()
  }

  async #greet(): Promise<boolean> {
    const { server, connectionId } = this.#ends
    const version = greetedVersion(String(server.variable('version')))
    const greeting = encodeGreeting({ version, connectionId, seed: this.#seed })
    let isRefused = false
    const goesOn = await exchange(this.#ends, {
      said: { command: 'connect', sql: undefined },
      wireBytes: 0,
      sequence: 0,
      handle: () => Promise.resolve([greeting]),
      encode: (answer) => {
        isRefused = answer.kind === 'error'
        return [answer.kind === 'error' ? encodeError(answer) : greeting]
      },
    })
    return goesOn && !isRefused && (await this.#logIn())
  }

  async #logIn(): Promise<boolean> {
    const packet = await this.#next()
    if (packet === undefined) return false
    const { capabilities, ...logIn } = decodeHandshake(packet.payload)
    const goesOn = await exchange(this.#ends, {
      said: { command: 'log-in', sql: undefined },
      wireBytes: packet.wireBytes,
      sequence: packet.sequence + 1,
      handle: () => Promise.resolve(this.#admit(logIn, capabilities)),
      encode: (answer) =>
        answer.kind === 'error' ? [encodeError(answer)] : this.#admit(logIn, capabilities),
    })
    return goesOn && this.#state.kind === 'open'
  }

  #admit(logIn: LogIn, capabilities: bigint): readonly Buffer[] {
    const { server, connectionId, users } = this.#ends
    const refusal = errorOf(() => this.#check(logIn, users))
    if (refusal !== undefined) return [encodeError(refusal.answer)]
    const { onKilled } = this.#ends
    const session = new Session({ server, id: connectionId, user: logIn.user, onKilled })
    session.schema = logIn.schema
    session.countsFound = (capabilities & capability.foundRows) !== 0n
    const changeUser = (body: Buffer): void => {
      const next = decodeChangeUser(body)
      this.#check(next, users)
      session.user = next.user
      session.schema = next.schema
    }
    const performer: Performer = { session, statements: new Statements(), capabilities, changeUser }
    this.#state = { kind: 'open', performer }
    return encoded(performer, okAnswer, 'text')
  }

  #check(logIn: LogIn, users: Users): void {
    checkLogIn(users, logIn, this.#seed)
    if (logIn.schema === undefined || this.#ends.server.store.hasSchema(logIn.schema)) return
    throw serverError('unknownSchema', logIn.schema)
  }

  async #obeyAll(): Promise<void> {
    while (this.#state.kind === 'open') {
      const packet = await this.#next()
      if (packet === undefined || this.#state.kind !== 'open') return
      if (!(await this.#obey(packet, this.#state.performer))) return
    }
  }

  async #obey(packet: Packet, performer: Performer): Promise<boolean> {
    const command = decodeCommand(packet.payload)
    const rows = command.name === 'execute' || command.name === 'bulk-execute' ? 'binary' : 'text'
    const goesOn = await exchange(this.#ends, {
      said: { command: command.name, sql: sqlOf(command, performer.statements) },
      wireBytes: packet.wireBytes,
      sequence: packet.sequence + 1,
      handle: () => perform(performer, command),
      encode: (answer) => encoded(performer, answer, rows),
    })
    return goesOn && command.name !== 'quit'
  }

  // A process that stands still reads nothing and does nothing, even what it has read already.
  async #next(): Promise<Packet | undefined> {
    const packet = await this.#ends.pipe.read()
    await this.#ends.awake()
    return packet
  }
}

function sqlOf(command: Command, statements: Statements): string | undefined {
  if (command.name === 'query' || command.name === 'prepare') return command.sql
  return 'statement' in command ? statements.find(command.statement)?.sql : undefined
}

function errorOf(act: () => void): ServerError | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    if (error instanceof ServerError) return error
    throw error
  }
}

// Servers before 11 hide behind the version of an old MySQL, so that old replicas accept them.
function greetedVersion(version: string): string {
  return Number.parseInt(version, 10) < 11 ? `5.5.5-${version}` : version
}

// It must differ from connection to connection and must not hold a zero; it need not be secret here.
function seedOf(connectionId: number): Buffer {
  return createHash('sha1')
    .update(`seed ${connectionId}`)
    .digest()
    .map((octet) => (octet & 0x7f) | 1) as Buffer
}
