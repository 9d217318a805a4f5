import { ServerError, serverError } from '../engine/errors.ts'
import type { Session } from '../engine/session.ts'
import { execute, parameterCount } from '../sql/execute.ts'
import { useSchema } from '../sql/statements.ts'
import { type Answer, encodeAnswer, encodePrepared, okAnswer } from '../wire/answers.ts'
import { type Command, decodeBulk, decodeParameters, type Expected } from '../wire/commands.ts'
import type { Row } from '../wire/values.ts'

/** The state of a connection that its commands use. */
export interface CommandContext {
  readonly session: Session
  readonly statements: PreparedStatements
  readonly capabilities: bigint
  /** Changes the user of the connection; fails when the auth response is wrong. */
  readonly changeUser: (body: Buffer) => void
}

/** Runs a command; returns the payloads of its answer, or none for a command that has no answer. */
export async function runCommand(context: CommandContext, command: Command): Promise<readonly Buffer[]> {
  try {
    return await dispatch(context, command)
  } catch (error) {
    if (!(error instanceof ServerError)) throw error
    return encoded(context, error.answer, 'text')
  }
}

/** The payloads of an answer for this client. */
export function encoded(
  { session, capabilities }: Pick<CommandContext, 'session' | 'capabilities'>,
  answer: Answer,
  rows: 'text' | 'binary',
): readonly Buffer[] {
  return encodeAnswer(answer, { capabilities, status: session.status, rows })
}

async function dispatch(context: CommandContext, command: Command): Promise<readonly Buffer[]> {
  const { session, statements } = context
  switch (command.name) {
    case 'query':
      return encoded(context, await execute(session, command.sql, []), 'text')
    case 'prepare':
      return prepare(context, command.sql)
    case 'execute':
      return executePrepared(context, command)
    case 'bulk-execute':
      return executeBulk(context, command)
    case 'send-long-data':
      keepLongData(context, command)
      return []
    case 'close-statement':
      statements.remove(command.statement)
      return []
    case 'reset-statement':
      statements.get(command.statement).longData.clear()
      return encoded(context, okAnswer, 'text')
    case 'init-db':
      return encoded(context, useSchema(session, command.schema), 'text')
    case 'reset-connection':
      session.reset()
      statements.clear()
      return encoded(context, okAnswer, 'text')
    case 'change-user':
      context.changeUser(command.body)
      session.reset()
      statements.clear()
      return encoded(context, okAnswer, 'text')
    case 'ping':
    case 'set-option':
      return encoded(context, okAnswer, 'text')
    case 'statistics':
      return [Buffer.from(`Threads: ${session.server.sessions.size}`)]
    case 'quit':
      return []
    case 'unknown':
      throw serverError('unknownCommand')
  }
}

function prepare(context: CommandContext, sql: string): readonly Buffer[] {
  const { id, parameters } = context.statements.add(sql)
  return encodePrepared(id, parameters, {
    capabilities: context.capabilities,
    status: context.session.status,
  })
}

type ExecuteCommand = Extract<Command, { readonly statement: number; readonly body: Buffer }>

async function executePrepared(
  context: CommandContext,
  { statement, body }: ExecuteCommand,
): Promise<readonly Buffer[]> {
  const prepared = context.statements.get(statement)
  const { values, types } = decodeParameters(body, expectedBy(prepared))
  prepared.types = types
  prepared.longData.clear()
  return encoded(context, await execute(context.session, prepared.sql, values), 'binary')
}

async function executeBulk(
  context: CommandContext,
  { statement, body }: ExecuteCommand,
): Promise<readonly Buffer[]> {
  const prepared = context.statements.get(statement)
  const answer = await executeAll(context.session, prepared.sql, decodeBulk(body, prepared.parameters))
  return encoded(context, answer, 'binary')
}

// Runs the statement for one row after the other, in a transaction of its own when none is open, as the server does.
async function executeAll(session: Session, sql: string, rows: readonly Row[]): Promise<Answer> {
  const isOwn = session.transaction === undefined && session.isAutocommit
  if (isOwn) session.begin(undefined)
  let all = okAnswer
  for (const row of rows) {
    const answer = await execute(session, sql, row)
    if (answer.kind === 'error' && isOwn) session.rollback()
    if (answer.kind !== 'ok') return answer
    const insertId = all.insertId === 0 ? answer.insertId : all.insertId
    all = { ...all, affectedRows: all.affectedRows + answer.affectedRows, insertId }
  }
  const committed = isOwn ? await execute(session, 'COMMIT', []) : all
  return committed.kind === 'error' ? committed : all
}

function keepLongData(context: CommandContext, command: Extract<Command, { name: 'send-long-data' }>): void {
  const longData = context.statements.find(command.statement)?.longData
  const before = longData?.get(command.index) ?? Buffer.alloc(0)
  longData?.set(command.index, Buffer.concat([before, command.bytes]))
}

/** A statement that was prepared. */
interface PreparedStatement {
  readonly id: number
  readonly sql: string
  readonly parameters: number
  types: readonly number[]
  longData: Map<number, Buffer>
}

// The number of the last prepared statement: a client may execute it before it knows its real number.
const lastPrepared = 0xffff_ffff

/** The prepared statements of one connection. */
export class PreparedStatements {
  readonly #prepared = new Map<number, PreparedStatement>()
  #lastId = 0
  #last: number | undefined

  /** Keeps a statement, also one that fits no shape: a rule may answer it. */
  add(sql: string): PreparedStatement {
    const id = ++this.#lastId
    const prepared = { id, sql, parameters: parameterCount(sql), types: [], longData: new Map() }
    this.#prepared.set(id, prepared)
    this.#last = id
    return prepared
  }

  /** The statement of that number; fails when there is none. */
  get(id: number): PreparedStatement {
    const prepared = this.find(id)
    if (prepared !== undefined) return prepared
    throw serverError('unknownPrepared', id)
  }

  find(id: number): PreparedStatement | undefined {
    return this.#prepared.get(id === lastPrepared ? (this.#last ?? 0) : id)
  }

  remove(id: number): void {
    this.#prepared.delete(id)
  }

  clear(): void {
    this.#prepared.clear()
    this.#last = undefined
  }
}

// What the parameters of an execution are read against.
function expectedBy({ parameters, types, longData }: PreparedStatement): Expected {
  return { count: parameters, types, longData }
}
