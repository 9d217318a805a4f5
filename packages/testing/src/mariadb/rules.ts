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

/** One misbehaviour, as data: what it waits for and what happens then. */
export type Rule = CommandRule | ByteRule

/** A rule about commands. */
export type CommandRule = { readonly when: WhenCommand } & CommandAct

/** A rule about a place in the stream of bytes of a connection, wherever packets begin and end. */
export type ByteRule = { readonly when: WhenByte } & Ending

/** What a client does: it connects, it logs in, it sends a command. */
export type ClientAction = CommandName | 'connect' | 'log-in'

/** Matches what a client does. At least one of `command` and `sql` is given. */
export interface WhenCommand extends ConnectionFilter, MatchWindow {
  readonly command?: ClientAction
  /** A statement as it was sent, or a pattern; of one that was prepared, when it is prepared and when it is executed. */
  readonly sql?: TextPattern
}

/** What a rule about commands does. Everything on the same connection waits behind a command that waits. */
export type CommandAct =
  /** The server answers so and does not look at the command. */
  | { readonly do: 'answer'; readonly with: ScriptedAnswer }
  /** The server refuses. Before the greeting it has no SQLSTATE, and ends the connection. Default state `HY000`. */
  | { readonly do: 'refuse'; readonly errno: number; readonly sqlState?: string; readonly message?: string }
  | WaitAct
  | (Ending & { readonly at?: RequestPosition })

/** An answer as a test writes it: rows, or that it is done. */
export type ScriptedAnswer =
  | {
      readonly rows: readonly Readonly<Record<string, Value>>[]
      /** The names of the columns, in order. Default: those of the first row. */
      readonly columns?: readonly string[]
    }
  | { readonly affectedRows?: number; readonly insertId?: number }

/** The end of what a connection says. */
export type Ending = ConnectionEnding<CutHow>

/** How a connection is cut: by an RST, by a FIN, or by a FIN of the server's half while it still does what it is told. */
export type CutHow = CutKind

/** What happens when a client does something. */
export interface CommandPlan extends PlannedWaits {
  /** What the server says instead of doing it. */
  readonly instead: Answer | undefined
  /** Where the connection ends, when it does. */
  readonly ending: { readonly at: RequestPosition; readonly act: Ending } | undefined
}

/** Something that a client does. */
export interface CommandEvent extends ConnectionOrigin {
  readonly command: ClientAction
  readonly sql: string | undefined
}

/** The misbehaviour of a cluster, command by command. */
export type CommandScript = Script<CommandRule, ByteRule, CommandEvent, CommandPlan>

/** How rules about commands are read: each that matches adds to the plan. */
export const commandInterpreter: RuleInterpreter<CommandRule, ByteRule, CommandEvent, CommandPlan> = {
  check: checkRule,
  defaultPlan: { before: [], instead: undefined, beforeAnswer: [], ending: undefined },
  isMatch,
  add: (plan, rule, moment) => ({ ...plan, ...added(plan, rule, moment) }),
}

function isMatch({ when }: CommandRule, moment: CommandEvent): boolean {
  if (when.command !== undefined && when.command !== moment.command) return false
  if (when.sql === undefined) return true
  return moment.sql !== undefined && matchesText(when.sql, moment.sql)
}

function added(plan: CommandPlan, act: CommandAct, moment: CommandEvent): Partial<CommandPlan> {
  switch (act.do) {
    case 'answer':
      return { instead: answerOf(act.with) }
    case 'refuse': {
      const sqlState = moment.command === 'connect' ? undefined : (act.sqlState ?? 'HY000')
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

// Every deed once, so that the compiler misses one that is forgotten.
const deeds: Readonly<Record<ClientAction, true>> = {
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
  if (command !== undefined && !Object.hasOwn(deeds, command)) {
    const names = Object.keys(deeds)
    throw invalidRule(
      'when.command',
      `one of ${names.join(', ')}, not '${command}'${didYouMean(command, names)}`,
    )
  }
  checkTextPattern('when.sql', sql)
  if (rule.do === 'answer' && 'rows' in rule.with) checkRows(rule.with)
  if ('at' in rule && typeof rule.at === 'object') checkBytePosition(rule.at)
}

// A client takes a result without columns for something else.
function checkRows({ rows, columns }: Extract<ScriptedAnswer, { readonly rows: unknown }>): void {
  if ((columns ?? Object.keys(rows[0] ?? {})).length === 0)
    throw invalidRule('with.columns', 'given when there are no rows')
}
