import { serverError } from '../engine/errors.ts'
import type { Execution, Session } from '../engine/session.ts'
import { gtidOf, seqnoOf } from '../engine/store.ts'
import { add, datetimeText, earlierDatetime, numberOf } from '../engine/values.ts'
import { globalOnly } from '../engine/variables.ts'
import type { ColumnType } from '../wire/answers.ts'
import type { Value } from '../wire/values.ts'
import { literalAt, NoMatchingShape, splitAtCommas, type Template } from './template.ts'

/** Something in a statement that has a value outside any row. */
export interface Operand {
  readonly value: (scope: Scope) => Value
  /** The type of the column that shows this value. */
  readonly type: (value: Value) => ColumnType
}

type Scope = Omit<Execution, 'signal'>

/** An operand of a `SELECT`, whose value may be waited for. */
export interface AwaitedOperand extends Pick<Operand, 'type'> {
  readonly value: (execution: Execution) => Value | Promise<Value>
}

/** Reads a literal, a parameter, a variable, a function, or one of these minus an interval; undefined for a column. */
export function operandOf(text: string, template: Template): Operand | undefined {
  const [, time, count, unit] = /^(.+?) - INTERVAL (.+) (SECOND|MINUTE|HOUR|DAY)$/i.exec(text) ?? []
  if (time !== undefined && count !== undefined && unit !== undefined)
    return earlier(required(time, template), required(count, template), unit.toLowerCase())
  return (
    literalOperand(text, template) ?? constants[text.toUpperCase()] ?? variable(text) ?? call(text, template)
  )
}

/** Reads an operand; a column is none. */
export function required(text: string, template: Template): Operand {
  const operand = operandOf(text, template)
  if (operand === undefined) throw new NoMatchingShape(text)
  return operand
}

/** Reads an operand of a `SELECT`, which may also be a function that waits; undefined for a column. */
export function awaitedOperandOf(text: string, template: Template): AwaitedOperand | undefined {
  const { name, args } = callIn(text, template) ?? {}
  const waiting = name === undefined ? undefined : waitingFunctions[name]
  if (waiting === undefined || args === undefined) return operandOf(text, template)
  const [type, compute] = waiting
  return { type: () => type, value: (execution) => compute(execution, valuesOf(args, execution)) }
}

/** The type of a column that shows a literal. */
function literalType(value: Value): ColumnType {
  if (value === null) return 'null'
  if (typeof value === 'bigint') return 'bigint'
  if (typeof value === 'string') return 'text'
  if (typeof value !== 'number') return 'blob'
  if (!Number.isInteger(value)) return 'decimal'
  return Math.abs(value) < firstBigint ? 'int' : 'bigint'
}

// The first number that does not fit into an INT.
const firstBigint = 2_147_483_648

function literalOperand(text: string, template: Template): Operand | undefined {
  const [, minus, index] = /^(-?):(\d+)$/.exec(text) ?? []
  if (index === undefined) return undefined
  const { value } = literalAt(template, index)
  const signed = (each: Value): Value => (minus === '-' ? add(0, each, -1) : each)
  return { type: literalType, value: ({ parameters }) => signed(value(parameters)) }
}

/** An operand that is always the same. */
export function constant(value: Value): Operand {
  return { type: literalType, value: () => value }
}

const now: Operand = { type: () => 'datetime', value: ({ session }) => timeOf(session, 0) }

const constants: Readonly<Record<string, Operand>> = {
  NULL: constant(null),
  DEFAULT: constant(null),
  TRUE: constant(1),
  FALSE: constant(0),
  CURRENT_TIMESTAMP: now,
}

function timeOf({ server }: Session, digits: Value): Value {
  return datetimeText(server.clock.now(), Number(digits ?? 0))
}

function variable(text: string): Operand | undefined {
  const [, isSystem, scope, written = ''] = /^@(@)?(?:(GLOBAL|SESSION|LOCAL)\.)?([\w$]+)$/i.exec(text) ?? []
  if (written === '') return undefined
  const name = written.toLowerCase()
  const isGlobal = scope?.toUpperCase() === 'GLOBAL'
  return {
    type: (value) => (literalType(value) === 'int' ? 'bigint' : literalType(value)),
    value: ({ session }) =>
      isSystem === undefined
        ? (session.userVariables.get(name) ?? null)
        : systemVariable(session, name, isGlobal),
  }
}

function systemVariable(session: Session, name: string, isGlobal: boolean): Value {
  const isOfServer = isGlobal || globalOnly.includes(name)
  const value = isOfServer ? session.server.variable(name) : session.variable(name)
  if (value === undefined) throw serverError('unknownVariable', name)
  // `@@x` is 1 or 0 where `SHOW VARIABLES` has ON or OFF.
  if (value === 'ON') return 1
  return value === 'OFF' ? 0 : value
}

const secondsIn: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3_600, day: 86_400 }

function earlier(time: Operand, count: Operand, unit: string): Operand {
  return {
    type: () => 'datetime',
    value: (scope) => {
      const [at, seconds] = [time.value(scope), millisecondsOf(count.value(scope)) / 1_000]
      return earlierDatetime(String(at), seconds * (secondsIn[unit] ?? 0))
    },
  }
}

interface Call {
  readonly name: string
  readonly args: readonly Operand[]
}

function callIn(text: string, template: Template): Call | undefined {
  const [, name, args = ''] = /^(\w+)\((.*)\)$/.exec(text) ?? []
  if (name === undefined) return undefined
  return {
    name: name.toLowerCase(),
    args: args === '' ? [] : splitAtCommas(args).map((arg) => required(arg, template)),
  }
}

function call(text: string, template: Template): Operand | undefined {
  const { name, args } = callIn(text, template) ?? {}
  if (name === undefined || args === undefined) return undefined
  const known = functions[name]
  if (known === undefined) throw new NoMatchingShape(text)
  const [type, compute] = known
  return { type: () => type, value: (scope) => compute(scope.session, valuesOf(args, scope)) }
}

function valuesOf(args: readonly Operand[], scope: Scope): readonly Value[] {
  return args.map((arg) => arg.value(scope))
}

type Compute = (session: Session, args: readonly Value[]) => Value

/** The functions that do not wait, with the type of their column. */
const functions: Readonly<Record<string, readonly [ColumnType, Compute]>> = {
  connection_id: ['bigint', (session) => session.id],
  current_timestamp: ['datetime', (session, [digits = 0]) => timeOf(session, digits)],
  database: ['text', (session) => session.schema ?? null],
  last_insert_id: ['bigint', (session) => session.lastInsertId],
  now: ['datetime', (session, [digits = 0]) => timeOf(session, digits)],
  version: ['text', (session) => session.server.variable('version') ?? null],
  wsrep_last_seen_gtid: ['binary', (session) => gtidOf(session.server.applier.applied)],
  wsrep_last_written_gtid: ['binary', (session) => gtidOf(session.lastWritten)],
}

type Wait = (execution: Execution, args: readonly Value[]) => Promise<Value>

/** The functions that wait, with the type of their column. */
const waitingFunctions: Readonly<Record<string, readonly [ColumnType, Wait]>> = {
  sleep: [
    'int',
    async ({ session, signal }, [seconds = null]) => {
      await session.server.clock.sleep(millisecondsOf(seconds), signal)
      return 0
    },
  ],
  master_gtid_wait: [
    'int',
    async (execution, [gtid = null, seconds = null]) =>
      (await isReplicatedIn(execution, seqnoIn(gtid), limitOf(seconds))) ? 0 : -1,
  ],
  wsrep_sync_wait_upto_gtid: [
    'char',
    async (execution, [gtid = null, seconds = null]) => {
      if (String(gtid).includes(',')) throw serverError('wrongArguments', 'wsrep_sync_wait_upto_gtid')
      // The server counts whole seconds: in 10.11.19 a wait of 0.25 s is one of 0.
      const timeoutMs = Math.floor(limitOf(seconds) / 1_000) * 1_000
      if (await isAppliedIn(execution, seqnoIn(gtid), timeoutMs)) return '1'
      throw serverError('lockWaitTimeout')
    },
  ],
}

function seqnoIn(gtid: Value): number {
  const seqno = seqnoOf(String(gtid))
  if (seqno === undefined) throw serverError('badGtid')
  return seqno
}

// The function waits for what another server sends. On a node that follows no other one the wait always times out,
// even for what the node has written itself.
async function isReplicatedIn(execution: Execution, seqno: number, timeoutMs: number): Promise<boolean> {
  const { membership, clock } = execution.session.server
  if (membership.replica() !== undefined) return isAppliedIn(execution, seqno, timeoutMs)
  if (timeoutMs > 0) await clock.sleep(timeoutMs, execution.signal)
  return false
}

function isAppliedIn({ session, signal }: Execution, seqno: number, timeoutMs: number): Promise<boolean> {
  return session.server.applier.hasReached(seqno, { timeoutMs, signal })
}

// One day: a wait without a limit ends with the test at the latest.
const longestWaitMs = 86_400_000

function limitOf(seconds: Value): number {
  return seconds === null ? longestWaitMs : millisecondsOf(seconds)
}

function millisecondsOf(seconds: Value): number {
  return seconds === null ? 0 : Number(numberOf(seconds)) * 1_000
}
