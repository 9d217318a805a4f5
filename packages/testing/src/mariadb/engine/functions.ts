import type { Call } from '../sql/expression.ts'
import type { Value } from '../wire/value.ts'
import { folded, numberOf } from './compare.ts'
import { dateText, shiftedDate } from './dates.ts'
import { evaluate, type Scope } from './evaluate.ts'
import { gtidOf } from './gtid.ts'
import { refusals } from './refusals.ts'
import type { Session } from './session.ts'

/** The value of a function that need not wait. */
export function callFunction({ name, args }: Call, scope: Scope, session: Session): Value {
  const compute = functions[name]
  if (compute === undefined) throw refusals.notUnderstood(`${name}()`)
  return compute(
    args.map((arg) => evaluate(arg, scope)),
    session,
  )
}

type Compute = (args: readonly Value[], session: Session) => Value

const functions: Readonly<Record<string, Compute>> = {
  '+interval': ([time = null, seconds = null]) => shiftedDate(time, seconds, 1),
  '-interval': ([time = null, seconds = null]) => shiftedDate(time, seconds, -1),
  coalesce: (args) => args.find((arg) => arg !== null) ?? null,
  concat: (args) => (args.includes(null) ? null : args.map(String).join('')),
  connection_id: (_, session) => session.id,
  current_user: (_, session) => `${session.user}@%`,
  database: (_, session) => session.schema ?? null,
  ifnull: ([value = null, other = null]) => value ?? other,
  last_insert_id: (_, session) => session.lastInsertId,
  length: ([value = null]) => (value === null ? null : Buffer.byteLength(String(value))),
  lower: ([value = null]) => (value === null ? null : folded(String(value))),
  mod: ([a = null, b = null]) =>
    a === null || b === null ? null : Number(numberOf(a)) % Number(numberOf(b)),
  now: ([digits = 0], session) => dateText(session.server.clock.now(), Number(digits)),
  schema: (_, session) => session.schema ?? null,
  user: (_, session) => `${session.user}@localhost`,
  version: (_, session) => session.server.variable('version') ?? null,
  wsrep_last_seen_gtid: (_, session) => gtidOf(session.server.applier.applied),
  wsrep_last_written_gtid: (_, session) => gtidOf(session.lastWritten),
}
