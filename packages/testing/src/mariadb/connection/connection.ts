import { createHash } from 'node:crypto'
import type { Clock } from '@ha/core'
import { MalformedMessage } from '../../server/byte-cursor.ts'
import { answerUpTo, isLostAt, type RequestOutcome, startWaits } from '../../server/rules.ts'
import { ScriptedPipe } from '../../server/scripted-pipe.ts'
import type { ServerSocket } from '../../server/sockets.ts'
import type { CommandLog } from '../command-log.ts'
import { ServerError, serverError } from '../engine/errors.ts'
import type { Server } from '../engine/server.ts'
import { Session } from '../engine/session.ts'
import type { CommandEvent, CommandPlan, CommandScript } from '../rules.ts'
import { type Answer, encodeError, okAnswer } from '../wire/answers.ts'
import { type Command, decodeCommand } from '../wire/commands.ts'
import {
  capability,
  decodeChangeUser,
  decodeHandshake,
  encodeGreeting,
  isAuthResponse,
  type LoginRequest,
} from '../wire/handshake.ts'
import { encodePackets, type Packet, PacketReader } from '../wire/packets.ts'
import { type CommandContext, encoded, PreparedStatements, runCommand } from './commands.ts'

/** Who may log in: passwords by user names. */
export type Users = Readonly<Record<string, string>>

/** What a connection needs from its node. */
export interface ConnectionDeps {
  readonly clock: Clock
  readonly server: Server
  readonly users: Users
  readonly script: CommandScript
  readonly log: CommandLog
  readonly node: number
  /** Its number among all connections of the cluster. */
  readonly connection: number
  /** Its number on the node, which its client knows as its thread id. */
  readonly connectionId: number
  /** Resolves when the process of the node runs: at once, or when it is resumed. */
  readonly awake: () => Promise<void>
  readonly onClosed: () => void
}

type State =
  | { readonly kind: 'handshake' }
  | { readonly kind: 'open'; readonly context: CommandContext }
  | { readonly kind: 'closed' }

/** The server's side of one connection: the handshake, and then one command after the other. */
export class ServerConnection {
  readonly #deps: ConnectionDeps
  readonly #pipe: ScriptedPipe<Packet>
  readonly #seed: Buffer
  #state: State = { kind: 'handshake' }

  constructor(socket: ServerSocket, deps: ConnectionDeps) {
    const { node, connection, script, onClosed } = deps
    this.#deps = deps
    this.#seed = seedOf(deps.connectionId)
    this.#pipe = new ScriptedPipe(socket, {
      reader: new PacketReader(),
      stopIn: (from, position, length) => script.stopIn({ from, position, length, node, connection }),
      onClosed,
    })
  }

  /** Serves the client until one side ends the connection. Never rejects for what a client sends. */
  async run(): Promise<void> {
    try {
      if (await this.#greet()) await this.#runCommands()
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      const { answer } = serverError('malformedPacket', error.message)
      this.#pipe.write(encodePackets([encodeError(answer)], 1))
    } finally {
      this.drop()
    }
  }

  /** Stops reading and writing, as a process on SIGSTOP does. */
  freeze(): void {
    this.#pipe.freeze()
  }

  thaw(): void {
    this.#pipe.thaw()
  }

  /** The network between client and node carries nothing until {@link heal}. */
  partition(): void {
    this.#pipe.partition()
  }

  heal(): void {
    this.#pipe.heal()
  }

  /** Ends at once with a FIN; the open transaction is undone. */
  drop(): void {
    this.#endSession()
    this.#pipe.end({ do: 'cut', how: 'end' })
  }

  /** Ends at once: the client reads ECONNRESET. */
  reset(): void {
    this.#endSession()
    this.#pipe.reset()
  }

  #endSession(): void {
    const state = this.#state
    this.#state = { kind: 'closed' }
    if (state.kind === 'open') state.context.session.end()
  }

  async #greet(): Promise<boolean> {
    const { server, connectionId } = this.#deps
    const version = greetedVersion(String(server.variable('version')))
    const greeting = encodeGreeting({ version, connectionId, seed: this.#seed })
    let isRefused = false
    const isOpen = await this.#exchange({
      request: { command: 'connect', sql: undefined },
      wireBytes: 0,
      sequence: 0,
      handle: () => Promise.resolve([greeting]),
      encode: (answer) => {
        isRefused = answer.kind === 'error'
        return [answer.kind === 'error' ? encodeError(answer) : greeting]
      },
    })
    return isOpen && !isRefused && (await this.#logIn())
  }

  async #logIn(): Promise<boolean> {
    const packet = await this.#next()
    if (packet === undefined) return false
    const { capabilities, ...logIn } = decodeHandshake(packet.payload)
    const isOpen = await this.#exchange({
      request: { command: 'log-in', sql: undefined },
      wireBytes: packet.wireBytes,
      sequence: packet.sequence + 1,
      handle: () => Promise.resolve(this.#admit(logIn, capabilities)),
      encode: (answer) =>
        answer.kind === 'error' ? [encodeError(answer)] : this.#admit(logIn, capabilities),
    })
    return isOpen && this.#state.kind === 'open'
  }

  #admit(logIn: LoginRequest, capabilities: bigint): readonly Buffer[] {
    const { server, connectionId } = this.#deps
    const error = errorOf(() => this.#check(logIn))
    if (error !== undefined) return [encodeError(error.answer)]
    const onKilled = (): void => this.drop()
    const session = new Session({ server, id: connectionId, user: logIn.user, onKilled })
    session.schema = logIn.schema
    session.countsFound = (capabilities & capability.foundRows) !== 0n
    const changeUser = (body: Buffer): void => {
      const next = decodeChangeUser(body)
      this.#check(next)
      session.user = next.user
      session.schema = next.schema
    }
    const context: CommandContext = {
      session,
      statements: new PreparedStatements(),
      capabilities,
      changeUser,
    }
    this.#state = { kind: 'open', context }
    return encoded(context, okAnswer, 'text')
  }

  #check({ user, authResponse, schema }: LoginRequest): void {
    const { users, server } = this.#deps
    const password = Object.hasOwn(users, user) ? users[user] : undefined
    if (password === undefined || !isAuthResponse(authResponse, password, this.#seed))
      throw serverError('accessDenied', user, authResponse.length > 0 ? 'YES' : 'NO')
    if (schema !== undefined && !server.store.hasSchema(schema)) throw serverError('unknownSchema', schema)
  }

  async #runCommands(): Promise<void> {
    while (this.#state.kind === 'open') {
      const packet = await this.#next()
      if (packet === undefined || this.#state.kind !== 'open') return
      if (!(await this.#runNext(packet, this.#state.context))) return
    }
  }

  async #runNext(packet: Packet, context: CommandContext): Promise<boolean> {
    const command = decodeCommand(packet.payload)
    const rows = command.name === 'execute' || command.name === 'bulk-execute' ? 'binary' : 'text'
    const isOpen = await this.#exchange({
      request: { command: command.name, sql: sqlOf(command, context.statements) },
      wireBytes: packet.wireBytes,
      sequence: packet.sequence + 1,
      handle: () => runCommand(context, command),
      encode: (answer) => encoded(context, answer, rows),
    })
    return isOpen && command.name !== 'quit'
  }

  // A process that stands still handles nothing, even what it has read already.
  async #next(): Promise<Packet | undefined> {
    const packet = await this.#pipe.read()
    await this.#deps.awake()
    return packet
  }

  // Answers one request as the script plans it; false when the connection is over.
  async #exchange({ request, wireBytes, sequence, handle, encode }: Exchange): Promise<boolean> {
    const { script, log, node, connection } = this.#deps
    const plan = script.planOf({ ...request, node, connection })
    const { ending, instead } = plan
    const outcome = outcomeOf(plan, wireBytes)
    const waitDeps = { ...this.#deps, released: (name: string) => script.released(name) }
    const waits = [startWaits(waitDeps, plan.before), startWaits(waitDeps, plan.beforeAnswer)] as const
    log.add({ ...request, outcome, node, connection })
    if (outcome !== 'lost') {
      await waits[0]()
      const payloads = instead === undefined ? await handle() : encode(instead)
      await waits[1]()
      const bytes = encodePackets(payloads, sequence)
      this.#pipe.write(ending === undefined ? bytes : answerUpTo(ending.at, bytes))
    }
    if (ending === undefined) return true
    this.#pipe.end(ending.act)
    return this.#pipe.isListening || ending.act.do === 'silence'
  }
}

/** One request of a client, and how it is answered. */
interface Exchange {
  readonly request: Pick<CommandEvent, 'command' | 'sql'>
  readonly wireBytes: number
  /** The sequence number of the first packet of the answer. */
  readonly sequence: number
  /** Handles the request; returns the payloads of the answer. */
  readonly handle: () => Promise<readonly Buffer[]>
  /** The payloads of an answer that a rule gives. */
  readonly encode: (answer: Answer) => readonly Buffer[]
}

function outcomeOf({ ending, instead }: CommandPlan, wireBytes: number): RequestOutcome {
  if (ending !== undefined && isLostAt(ending.at, wireBytes)) return 'lost'
  return instead === undefined ? 'done' : 'scripted'
}

function sqlOf(command: Command, statements: PreparedStatements): string | undefined {
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

// Servers before 11 put the version of an old MySQL in front, so that old replicas accept them.
function greetedVersion(version: string): string {
  return Number.parseInt(version, 10) < 11 ? `5.5.5-${version}` : version
}

// The seed differs between connections and holds no zero byte; in a test it need not be secret.
function seedOf(connectionId: number): Buffer {
  return createHash('sha1')
    .update(`seed ${connectionId}`)
    .digest()
    .map((octet) => (octet & 0x7f) | 1) as Buffer
}
