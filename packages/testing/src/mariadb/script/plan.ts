import {
  type ConnectionOrigin,
  matchesText,
  type PlannedWaits,
  type RequestPosition,
  withWait,
} from '../../server/rules.ts'
import type { RuleInterpreter, Script } from '../../server/script.ts'
import { type Answer, okAnswer } from '../wire/answer.ts'
import type { Column, ColumnType } from '../wire/column.ts'
import type { Value } from '../wire/value.ts'
import { checkRule } from './check-rule.ts'
import type { ByteRule, CommandAct, CommandRule, Deed, Ending, ScriptedAnswer } from './rule.ts'

/** What happens when a client does something. */
export interface Plan extends PlannedWaits {
  /** What the server says instead of doing it. */
  readonly instead: Answer | undefined
  /** Where the connection ends, when it does. */
  readonly ending: { readonly at: RequestPosition; readonly act: Ending } | undefined
}

/** Something that a client does. */
export interface Moment extends ConnectionOrigin {
  readonly command: Deed
  readonly sql: string | undefined
}

/** The misbehaviour of a cluster, command by command. */
export type CommandScript = Script<CommandRule, ByteRule, Moment, Plan>

/** How rules about commands are read: each that matches adds to the plan. */
export const commandGrammar: RuleInterpreter<CommandRule, ByteRule, Moment, Plan> = {
  check: checkRule,
  defaultPlan: { before: [], instead: undefined, beforeAnswer: [], ending: undefined },
  isMatch,
  add: (plan, rule, moment) => ({ ...plan, ...added(plan, rule, moment) }),
}

function isMatch({ when }: CommandRule, moment: Moment): boolean {
  if (when.command !== undefined && when.command !== moment.command) return false
  if (when.sql === undefined) return true
  return moment.sql !== undefined && matchesText(when.sql, moment.sql)
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
