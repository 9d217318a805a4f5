import { type Answer, okAnswer } from '../wire/answer.ts'
import type { Column, ColumnType } from '../wire/column.ts'
import type { Value } from '../wire/value.ts'
import type {
  ByteRule,
  CommandAct,
  CommandRule,
  Deed,
  Edge,
  Ending,
  Place,
  Rule,
  ScriptedAnswer,
  Side,
} from './rule.ts'

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

/** Where a connection stands, for a rule's {@link Place}. */
export interface Where {
  readonly node: number
  readonly connection: number
}

/** Something that a client does. */
export interface Moment extends Where {
  readonly command: Deed
  readonly sql: string | undefined
}

/** The plan of what no rule concerns. */
export const plainPlan: Plan = { before: [], instead: undefined, late: [], ending: undefined }

/** A plan, and how often each rule has matched when it is taken. */
export interface Planned {
  readonly plan: Plan
  readonly seen: readonly number[]
}

/** Decides what happens: every rule that matches adds to it. */
export function planCommand(rules: readonly Rule[], seen: readonly number[], moment: Moment): Planned {
  const matches = rules.map((rule) => isCommandRule(rule) && isMatch(rule, moment))
  let plan = plainPlan
  for (const [i, rule] of rules.entries()) {
    if (!isCommandRule(rule) || matches[i] !== true || !isInTurn(rule, seen[i] ?? 0)) continue
    plan = { ...plan, ...added(plan, rule, moment) }
  }
  return { plan, seen: rules.map((_, i) => (seen[i] ?? 0) + (matches[i] === true ? 1 : 0)) }
}

function isCommandRule(rule: Rule): rule is CommandRule {
  return !('byte' in rule.when)
}

function isMatch({ when }: CommandRule, moment: Moment): boolean {
  if (!isPlace(when, moment)) return false
  if (when.command !== undefined && when.command !== moment.command) return false
  if (when.sql === undefined) return true
  if (moment.sql === undefined) return false
  return typeof when.sql === 'string' ? when.sql === moment.sql : when.sql.test(moment.sql)
}

function isPlace(place: Place, where: Where): boolean {
  return (
    (place.node === undefined || place.node === where.node) &&
    (place.connection === undefined || place.connection === where.connection)
  )
}

function isInTurn({ when }: CommandRule, seenBefore: number): boolean {
  const skip = when.skip ?? 0
  return seenBefore >= skip && seenBefore < skip + (when.times ?? Number.POSITIVE_INFINITY)
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

/** Bytes that are about to pass, and how many have passed before them. */
export interface Stretch extends Where {
  readonly from: Side
  readonly position: number
  readonly length: number
}

/** How many bytes pass before a rule about bytes acts; what it does. */
export interface ByteStop {
  readonly bytes: number
  readonly act: Ending
}

/** Decides where in a stretch of bytes a rule acts: the first place, or undefined when none lies in it. */
export function planBytes(rules: readonly Rule[], stretch: Stretch): ByteStop | undefined {
  const stops = rules.filter(isByteRule).filter((rule) => isInside(rule, stretch))
  const first = stops.reduce<ByteRule | undefined>(
    (best, rule) => (best === undefined || rule.when.byte < best.when.byte ? rule : best),
    undefined,
  )
  return first === undefined ? undefined : { bytes: first.when.byte - stretch.position, act: first }
}

function isByteRule(rule: Rule): rule is ByteRule {
  return 'byte' in rule.when
}

// Its end belongs to a stretch and its beginning does not: the act at byte K comes right behind byte K, once.
function isInside({ when }: ByteRule, stretch: Stretch): boolean {
  const { position, length } = stretch
  return (
    when.from === stretch.from &&
    isPlace(when, stretch) &&
    when.byte > position &&
    when.byte <= position + length
  )
}
