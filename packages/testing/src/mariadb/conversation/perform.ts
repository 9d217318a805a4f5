import { ServerError, serverError } from '../engine/errors.ts'
import type { Session } from '../engine/session.ts'
import { execute } from '../sql/execute.ts'
import { useSchema } from '../sql/session-statements.ts'
import { type Answer, okAnswer } from '../wire/answer.ts'
import { encodeAnswer } from '../wire/answers.ts'
import type { Command } from '../wire/command.ts'
import { decodeBulk, decodeParameters } from '../wire/parameters.ts'
import { encodePrepared } from '../wire/prepared.ts'
import type { Row } from '../wire/value.ts'
import { expectedBy, type Statements } from './statements.ts'

/** Whose command it is. */
export interface Performer {
  readonly session: Session
  readonly statements: Statements
  readonly capabilities: bigint
  /** Lets the connection be another user; refuses one whose proof is wrong. */
  readonly changeUser: (body: Buffer) => void
}

/** What is said to a command, as payloads; nothing for one that is not answered. */
export async function perform(by: Performer, command: Command): Promise<readonly Buffer[]> {
  try {
    return await dispatch(by, command)
  } catch (error) {
    if (!(error instanceof ServerError)) throw error
    return encoded(by, error.answer, 'text')
  }
}

/** An answer as the client of this command reads it. */
export function encoded(
  { session, capabilities }: Pick<Performer, 'session' | 'capabilities'>,
  answer: Answer,
  rows: 'text' | 'binary',
): readonly Buffer[] {
  return encodeAnswer(answer, { capabilities, status: session.status, rows })
}

async function dispatch(by: Performer, command: Command): Promise<readonly Buffer[]> {
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

function prepare(by: Performer, sql: string): readonly Buffer[] {
  const { id, parameters } = by.statements.add(sql)
  // The columns come with each result: a server may say none here, as it does for what returns none.
  const answer = { statement: id, parameters, columns: [] }
  return encodePrepared(answer, { capabilities: by.capabilities, status: by.session.status, rows: 'binary' })
}

type Execution = Extract<Command, { readonly statement: number; readonly body: Buffer }>

async function executePrepared(by: Performer, { statement, body }: Execution): Promise<readonly Buffer[]> {
  const prepared = by.statements.get(statement)
  const { values, types } = decodeParameters(body, expectedBy(prepared))
  prepared.types = types
  prepared.longData.clear()
  return encoded(by, await execute(by.session, prepared.sql, values), 'binary')
}

async function executeBulk(by: Performer, { statement, body }: Execution): Promise<readonly Buffer[]> {
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

function keepLongData(by: Performer, command: Extract<Command, { name: 'send-long-data' }>): void {
  const longData = by.statements.find(command.statement)?.longData
  const before = longData?.get(command.index) ?? Buffer.alloc(0)
  longData?.set(command.index, Buffer.concat([before, command.bytes]))
}
