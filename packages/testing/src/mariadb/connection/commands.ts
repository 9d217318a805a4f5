import { ServerError, serverError } from '../engine/errors.ts'
import type { Session } from '../engine/session.ts'
import { execute, parameterCount } from '../sql/execute.ts'
import { useSchema } from '../sql/session-statements.ts'
import { type Answer, encodeAnswer, encodePrepared, okAnswer } from '../wire/answers.ts'
import { type Command, decodeBulk, decodeParameters, type Expected } from '../wire/commands.ts'
import type { Row } from '../wire/values.ts'

/** Whose command it is. */
export interface CommandContext {
  readonly session: Session
  readonly statements: PreparedStatements
  readonly capabilities: bigint
  /** Lets the connection be another user; refuses one whose proof is wrong. */
  readonly changeUser: (body: Buffer) => void
}

/** What is said to a command, as payloads; nothing for one that is not answered. */
export async function runCommand(by: CommandContext, command: Command): Promise<readonly Buffer[]> {
  try {
    return await dispatch(by, command)
  } catch (error) {
    if (!(error instanceof ServerError)) throw error
    return encoded(by, error.answer, 'text')
  }
}

/** An answer as the client of this command reads it. */
export function encoded(
  { session, capabilities }: Pick<CommandContext, 'session' | 'capabilities'>,
  answer: Answer,
  rows: 'text' | 'binary',
): readonly Buffer[] {
  return encodeAnswer(answer, { capabilities, status: session.status, rows })
}

async function dispatch(by: CommandContext, command: Command): Promise<readonly Buffer[]> {
  const { session, statements } = by
  switch (command.name) {
    case 'query':
      return encoded(by, await execute(session, command.sql, []), 'text')
    case 'prepare':
      return prepare(by, command.sql)
    case 'execute':
      return executePrepared(by, command)
    case 'bulk-execute':
      return executeBulk(by, command)
    case 'send-long-data':
      keepLongData(by, command)
      return []
    case 'close-statement':
      statements.remove(command.statement)
      return []
    case 'reset-statement':
      statements.get(command.statement).longData.clear()
      return encoded(by, okAnswer, 'text')
    case 'init-db':
      return encoded(by, useSchema(session, command.schema), 'text')
    case 'reset-connection':
      session.reset()
      statements.clear()
      return encoded(by, okAnswer, 'text')
    case 'change-user':
      by.changeUser(command.body)
      session.reset()
      statements.clear()
      return encoded(by, okAnswer, 'text')
    case 'ping':
    case 'set-option':
      return encoded(by, okAnswer, 'text')
    case 'statistics':
      return [Buffer.from(`Threads: ${session.server.sessions.size}`)]
    case 'quit':
      return []
    case 'unknown':
      throw serverError('unknownCommand')
  }
}

function prepare(by: CommandContext, sql: string): readonly Buffer[] {
  const { id, parameters } = by.statements.add(sql)
  // The columns come with each result: a server may say none here, as it does for what returns none.
  const answer = { statement: id, parameters, columns: [] }
  return encodePrepared(answer, { capabilities: by.capabilities, status: by.session.status, rows: 'binary' })
}

type Execution = Extract<Command, { readonly statement: number; readonly body: Buffer }>

async function executePrepared(
  by: CommandContext,
  { statement, body }: Execution,
): Promise<readonly Buffer[]> {
  const prepared = by.statements.get(statement)
  const { values, types } = decodeParameters(body, expectedBy(prepared))
  prepared.types = types
  prepared.longData.clear()
  return encoded(by, await execute(by.session, prepared.sql, values), 'binary')
}

async function executeBulk(by: CommandContext, { statement, body }: Execution): Promise<readonly Buffer[]> {
  const prepared = by.statements.get(statement)
  const answer = await executeAll(by.session, prepared.sql, decodeBulk(body, prepared.parameters))
  return encoded(by, answer, 'binary')
}

// One statement in a row after the other; in a transaction of its own when there is none, as the server does it.
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

function keepLongData(by: CommandContext, command: Extract<Command, { name: 'send-long-data' }>): void {
  const longData = by.statements.find(command.statement)?.longData
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

// The client means whatever it has prepared last, before it knows its number.
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

  /** The statement of that number; refuses when there is none. */
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

/** What an execution of a statement is read against. */
function expectedBy({ parameters, types, longData }: PreparedStatement): Expected {
  return { count: parameters, types, longData }
}
