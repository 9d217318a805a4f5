import { didYouMean } from '@ha/core/driver'
import {
  type ConnectionEnding,
  type ConnectionFilter,
  type ConnectionOrigin,
  type CutKind,
  checkBytePosition,
  checkTextPattern,
  checkWhole,
  invalidRule,
  matchesText,
  type PlannedWaits,
  type RequestPosition,
  type TextPattern,
  type WaitAct,
  withWait,
} from '../server/rules.ts'
import type { MatchWindow, RuleInterpreter, Script, WhenByte } from '../server/script.ts'
import { type Answer, type Column, type ColumnType, okAnswer } from './wire/answers.ts'
import type { CommandName } from './wire/commands.ts'
import type { Value } from './wire/values.ts'

/** One fault as data: what it matches, and what happens then. */
export type Rule = CommandRule | ByteRule

/** A rule about commands. */
export type CommandRule = { readonly when: WhenCommand } & CommandAct

/** A rule about a position in a connection's stream of bytes, independent of packet boundaries. */
export type ByteRule = { readonly when: WhenByte } & Ending

/** What a client does: it connects, it logs in, it sends a command. */
export type ClientAction = CommandName | 'connect' | 'log-in'

/** Matches what a client does. At least one of `command` and `sql` is given. */
export interface WhenCommand extends ConnectionFilter, MatchWindow {
  readonly command?: ClientAction
  /** A statement as it was sent, or a pattern. A prepared statement matches when it is prepared and when it is executed. */
  readonly sql?: TextPattern
}

/** What a rule about commands does. Later commands of the connection wait behind one that waits. */
export type CommandAct =
  /** The server gives this answer and does not run the command. */
  | { readonly do: 'answer'; readonly with: ScriptedAnswer }
  /** The server answers with an error, default SQLSTATE `HY000`; before the greeting there is no SQLSTATE, and the connection ends. */
  | { readonly do: 'refuse'; readonly errno: number; readonly sqlState?: string; readonly message?: string }
  | WaitAct
  | (Ending & { readonly at?: RequestPosition })

/** An answer as a test writes it: rows, or the counts of a change. */
export type ScriptedAnswer =
  | {
      readonly rows: readonly Readonly<Record<string, Value>>[]
      /** The names of the columns, in order. Default: those of the first row. */
      readonly columns?: readonly string[]
    }
  | { readonly affectedRows?: number; readonly insertId?: number }

/** How a connection ends. */
export type Ending = ConnectionEnding<CutHow>

/** How a connection is cut: by an RST, by a FIN, or by a FIN of the server's half, after which it still runs what arrives. */
export type CutHow = CutKind

/** What happens at one action of a client. */
export interface CommandPlan extends PlannedWaits {
  /** The answer that replaces the server's own. Undefined: the server runs the command. */
  readonly instead: Answer | undefined
  /** Where the connection ends, when it does. */
  readonly ending: { readonly at: RequestPosition; readonly act: Ending } | undefined
}

/** One action of a client. */
export interface CommandEvent extends ConnectionOrigin {
  readonly command: ClientAction
  readonly sql: string | undefined
}

/** The rules of a cluster. */
export type CommandScript = Script<CommandRule, ByteRule, CommandEvent, CommandPlan>

/** How rules about commands are applied: each one that matches adds to the plan. */
export const commandInterpreter: RuleInterpreter<CommandRule, ByteRule, CommandEvent, CommandPlan> = {
  check: checkRule,
  defaultPlan: { before: [], instead: undefined, beforeAnswer: [], ending: undefined },
  isMatch,
  add: (plan, rule, event) => ({ ...plan, ...added(plan, rule, event) }),
}

function isMatch({ when }: CommandRule, event: CommandEvent): boolean {
  if (when.command !== undefined && when.command !== event.command) return false
  if (when.sql === undefined) return true
  return event.sql !== undefined && matchesText(when.sql, event.sql)
}

function added(plan: CommandPlan, act: CommandAct, event: CommandEvent): Partial<CommandPlan> {
  switch (act.do) {
    case 'answer':
      return { instead: answerOf(act.with) }
    case 'refuse': {
      const sqlState = event.command === 'connect' ? undefined : (act.sqlState ?? 'HY000')
      return { instead: { kind: 'error', errno: act.errno, sqlState, message: act.message ?? 'scripted' } }
    }
    case 'delay':
    case 'hold':
      return withWait(plan, act)
    case 'silence':
    case 'cut':
      return { ending: plan.ending ?? { at: act.at ?? 'before', act } }
  }
}

function answerOf(scripted: ScriptedAnswer): Answer {
  if (!('rows' in scripted)) {
    const { affectedRows = 0, insertId = 0 } = scripted
    return { ...okAnswer, affectedRows, insertId }
  }
  const names = scripted.columns ?? Object.keys(scripted.rows[0] ?? {})
  const columns = names.map(
    (name): Column => ({ name, type: typeFor(scripted.rows.map((row) => row[name] ?? null)) }),
  )
  return { kind: 'rows', columns, rows: scripted.rows.map((row) => names.map((name) => row[name] ?? null)) }
}

function typeFor(values: readonly Value[]): ColumnType {
  const value = values.find((each) => each !== null)
  if (typeof value === 'bigint') return 'bigint'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'double'
  return Buffer.isBuffer(value) ? 'blob' : 'text'
}

// A record, so that the compiler reports an action that is missing.
const actions: Readonly<Record<ClientAction, true>> = {
  connect: true,
  'log-in': true,
  query: true,
  prepare: true,
  execute: true,
  'bulk-execute': true,
  'send-long-data': true,
  'close-statement': true,
  'reset-statement': true,
  'init-db': true,
  'change-user': true,
  quit: true,
  ping: true,
  'reset-connection': true,
  'set-option': true,
  statistics: true,
  unknown: true,
}

/** Throws at a rule that could never match. */
function checkRule(rule: Rule): void {
  if ('byte' in rule.when) {
    checkWhole('when.byte', rule.when.byte, 1)
    return
  }
  const { command, sql } = rule.when
  if (command === undefined && sql === undefined) throw invalidRule('when', 'about a command or an sql')
  if (command !== undefined && !Object.hasOwn(actions, command)) {
    const names = Object.keys(actions)
    throw invalidRule(
      'when.command',
      `one of ${names.join(', ')}, not '${command}'${didYouMean(command, names)}`,
    )
  }
  checkTextPattern('when.sql', sql)
  if (rule.do === 'answer' && 'rows' in rule.with) checkRows(rule.with)
  if ('at' in rule && typeof rule.at === 'object') checkBytePosition(rule.at)
}

// In the protocol a result set has at least one column.
function checkRows({ rows, columns }: Extract<ScriptedAnswer, { readonly rows: unknown }>): void {
  if ((columns ?? Object.keys(rows[0] ?? {})).length === 0)
    throw invalidRule('with.columns', 'given when there are no rows')
}
