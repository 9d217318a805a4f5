import type { Grammar, Script, Where } from '@ha/core/testing'
import { type Answer, okAnswer } from '../wire/answer.ts'
import type { Column, ColumnType } from '../wire/column.ts'
import type { Value } from '../wire/value.ts'
import { checkRule } from './check-rule.ts'
import type { ByteRule, CommandAct, CommandRule, Deed, Edge, Ending, ScriptedAnswer } from './rule.ts'

/** What happens when a client does something. */
export interface Plan {
  /** What it waits for before the server looks at it. */
  readonly before: readonly Wait[]
  /** What the server says instead of doing it. */
  readonly instead: Answer | undefined
  /** What the answer waits for. */
  readonly late: readonly Wait[]
  /** Where the connection ends, when it does. */
  readonly ending: { readonly at: Edge; readonly act: Ending } | undefined
}

export type Wait =
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'hold'; readonly until: string }

/** Something that a client does. */
export interface Moment extends Where {
  readonly command: Deed
  readonly sql: string | undefined
}

/** The misbehaviour of a cluster, command by command. */
export type CommandScript = Script<CommandRule, ByteRule, Moment, Plan>

/** How rules about commands are read: each that matches adds to the plan. */
export const commandGrammar: Grammar<CommandRule, ByteRule, Moment, Plan> = {
  check: checkRule,
  plain: { before: [], instead: undefined, late: [], ending: undefined },
  isMatch,
  add: (plan, rule, moment) => ({ ...plan, ...added(plan, rule, moment) }),
}

function isMatch({ when }: CommandRule, moment: Moment): boolean {
  if (when.command !== undefined && when.command !== moment.command) return false
  if (when.sql === undefined) return true
  if (moment.sql === undefined) return false
  return typeof when.sql === 'string' ? when.sql === moment.sql : when.sql.test(moment.sql)
}

function added(plan: Plan, act: CommandAct, moment: Moment): Partial<Plan> {
  switch (act.do) {
    case 'answer':
      return { instead: answerOf(act.with) }
    case 'refuse': {
      const sqlState = moment.command === 'connect' ? undefined : (act.sqlState ?? 'HY000')
      return { instead: { kind: 'error', errno: act.errno, sqlState, message: act.message ?? 'scripted' } }
    }
    case 'delay':
      return waiting(plan, act.at, { kind: 'delay', delayMs: act.delayMs })
    case 'hold':
      return waiting(plan, act.at, { kind: 'hold', until: act.until })
    case 'silence':
    case 'cut':
      return { ending: plan.ending ?? { at: act.at ?? 'before', act } }
  }
}

function waiting(plan: Plan, at: 'before' | 'answer' = 'before', wait: Wait): Partial<Plan> {
  return at === 'before' ? { before: [...plan.before, wait] } : { late: [...plan.late, wait] }
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
