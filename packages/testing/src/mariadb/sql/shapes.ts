import type { Execution } from '../engine/session.ts'
import type { TableDefinition } from '../engine/store.ts'
import type { Answer } from '../wire/answer.ts'
import { type Insert, insert, remove, update } from './changes.ts'
import {
  type Assignment,
  assignmentsOf,
  type Condition,
  conditionsOf,
  type Item,
  itemsOf,
  rowsOf,
  type Setting,
  settingsOf,
  type TableName,
  tableDefinitionOf,
  tableNameOf,
} from './clauses.ts'
import { constant, type Operand, required } from './operands.ts'
import { type Select, select } from './select.ts'
import {
  begin,
  createTable,
  dropTable,
  end,
  endSavepoint,
  kill,
  setSavepoint,
  setVariables,
  showReplica,
  showValues,
  truncateTable,
  useSchema,
} from './session-statements.ts'
import { NoShape, type Template } from './template.ts'

/** What a statement concerns: a node that is not ready refuses all but `session`, a read-only one refuses `write`. */
type Concern = 'read' | 'write' | 'transaction' | 'session'

/** Runs a statement; fails with a server error. */
type Work = (execution: Execution) => Answer | Promise<Answer>

/** A statement that fits a shape. */
export interface ShapedStatement {
  readonly concern: Concern
  readonly isRollback: boolean
  /** Variables that hold only for this statement: `SET STATEMENT … FOR …`. */
  readonly settings: readonly Setting[]
  readonly work: Work
}

/**
 * A form of statement that the fake server runs. In its pattern, upper case stands for itself, `[…]` may be left out,
 * `{…|…}` is a choice, and lower case is a name, a value or a clause. The clauses are read when a statement is matched:
 * one that is not understood makes the statement fit no shape.
 */
type Shape = readonly [pattern: string, concern: Concern, read: (clauses: Clauses) => Work]

const shapes: readonly Shape[] = [
  [
    'SELECT items FROM table [WHERE conditions] [ORDER BY column [DESC]] [LIMIT value] [FOR UPDATE] [LOCK IN SHARE MODE]',
    'read',
    (c) => selection(c, c.table),
  ],
  ['SELECT items', 'session', (c) => selection(c, undefined)],
  [
    'INSERT [IGNORE] INTO table [(names)] VALUES rows [ON DUPLICATE KEY UPDATE assignments]',
    'write',
    insertion,
  ],
  [
    'UPDATE table SET assignments [WHERE conditions]',
    'write',
    ({ table, assignments, conditions }) =>
      (x) =>
        update(x, table, assignments, conditions),
  ],
  [
    'DELETE FROM table [WHERE conditions]',
    'write',
    ({ table, conditions }) =>
      (x) =>
        remove(x, table, conditions),
  ],
  ['CREATE TABLE [IF NOT EXISTS] table (definitions) [options]', 'write', creation],
  ['DROP TABLE [IF EXISTS] table', 'write', (c) => (x) => dropTable(x, c.table, c.has('IF EXISTS'))],
  ['TRUNCATE [TABLE] table', 'write', (c) => (x) => truncateTable(x, c.table)],
  ['BEGIN', 'transaction', () => (x) => begin(x, undefined)],
  ['START TRANSACTION', 'transaction', () => (x) => begin(x, undefined)],
  ['START TRANSACTION READ ONLY', 'transaction', () => (x) => begin(x, 'read-only')],
  ['START TRANSACTION READ WRITE', 'transaction', () => (x) => begin(x, 'read-write')],
  ['COMMIT', 'transaction', () => (x) => end(x, 'commit')],
  ['ROLLBACK', 'transaction', () => (x) => end(x, 'rollback')],
  ['SAVEPOINT name', 'transaction', (c) => (x) => setSavepoint(x, c.text('name'))],
  [
    'ROLLBACK TO [SAVEPOINT] name',
    'transaction',
    (c) => (x) => endSavepoint(x, 'rollbackTo', c.text('name')),
  ],
  ['RELEASE SAVEPOINT name', 'transaction', (c) => (x) => endSavepoint(x, 'release', c.text('name'))],
  ['SET NAMES name [COLLATE collation]', 'session', characterSet],
  ['SET [GLOBAL] [SESSION] TRANSACTION ISOLATION LEVEL level', 'session', isolationLevel],
  [
    'SET settings',
    'session',
    ({ settings }) =>
      (x) =>
        setVariables(x, settings),
  ],
  ['USE name', 'session', (c) => (x) => useSchema(x.session, c.text('name'))],
  ['SHOW [GLOBAL] [SESSION] STATUS [LIKE value] [WHERE conditions]', 'session', (c) => listing(c, 'status')],
  [
    'SHOW [GLOBAL] [SESSION] VARIABLES [LIKE value] [WHERE conditions]',
    'session',
    (c) => listing(c, 'variables'),
  ],
  ['SHOW [ALL] {SLAVE|SLAVES|REPLICA|REPLICAS} STATUS', 'session', () => showReplica],
  [
    'KILL [CONNECTION] value',
    'session',
    ({ value }) =>
      (x) =>
        kill(x, 'connection', value),
  ],
  [
    'KILL QUERY value',
    'session',
    ({ value }) =>
      (x) =>
        kill(x, 'query', value),
  ],
]

/** The patterns of all statements that the fake server runs by itself; the guide lists the same. */
export const shapePatterns: readonly string[] = shapes.map(([pattern]) => pattern)

/** The shape that a statement fits, with its clauses; undefined when it fits none. */
export function shapedStatement(template: Template): ShapedStatement | undefined {
  const [, prefix, rest] = /^SET STATEMENT (.+?) FOR (.+)$/i.exec(template.text) ?? []
  const text = rest ?? template.text
  const candidates = compiledShapes.get(/^\w*/.exec(text)?.[0].toUpperCase() ?? '') ?? []
  for (const shape of candidates) {
    const match = shape.pattern.exec(text)
    const work = match === null ? undefined : workOf(shape, new Clauses(template, match.groups ?? {}))
    if (work === undefined) continue
    const settings = prefix === undefined ? [] : settingsOf(prefix, template)
    return { concern: shape.concern, isRollback: /^ROLLBACK$/i.test(text), settings, work }
  }
  return undefined
}

function workOf({ read }: CompiledShape, clauses: Clauses): Work | undefined {
  try {
    return read(clauses)
  } catch (error) {
    if (error instanceof NoShape) return undefined
    throw error
  }
}

/** The clauses of a statement, by the names that its pattern gives them. */
class Clauses {
  readonly #template: Template
  readonly #groups: Readonly<Record<string, string | undefined>>

  constructor(template: Template, groups: Readonly<Record<string, string | undefined>>) {
    this.#template = template
    this.#groups = groups
  }

  /** Whether an optional keyword is present. */
  has(keyword: string): boolean {
    return this.#groups[keyword.replaceAll(' ', '_')] !== undefined
  }

  /** A clause as text; empty when it is left out. */
  text(name: string): string {
    return this.#groups[name] ?? ''
  }

  get table(): TableName {
    return tableNameOf(this.text('table'))
  }

  get value(): Operand {
    return required(this.text('value'), this.#template)
  }

  get optionalValue(): Operand | undefined {
    return this.text('value') === '' ? undefined : this.value
  }

  get items(): readonly Item[] {
    return itemsOf(this.text('items'), this.#template)
  }

  get conditions(): readonly Condition[] {
    return conditionsOf(this.text('conditions'), this.#template)
  }

  get assignments(): readonly Assignment[] {
    return assignmentsOf(this.text('assignments'), this.#template)
  }

  get settings(): readonly Setting[] {
    return settingsOf(this.text('settings'), this.#template)
  }

  get rows(): readonly (readonly Operand[])[] {
    return rowsOf(this.text('rows'), this.#template)
  }

  get definition(): TableDefinition {
    return tableDefinitionOf(this.text('definitions'), this.#template)
  }
}

function selection(c: Clauses, table: TableName | undefined): Work {
  const column = c.text('column')
  const statement: Select = {
    items: c.items,
    table,
    conditions: c.conditions,
    orderBy: column === '' ? undefined : { column, isDescending: c.has('DESC') },
    limit: c.optionalValue,
    lock: c.has('FOR UPDATE') ? 'update' : c.has('LOCK IN SHARE MODE') ? 'share' : undefined,
  }
  return (x) => select(x, statement)
}

function insertion(c: Clauses): Work {
  const names = c.text('names')
  const assignments = c.text('assignments') === '' ? undefined : c.assignments
  const statement: Insert = {
    table: c.table,
    columns: names === '' ? undefined : names.split(','),
    rows: c.rows,
    onDuplicate: assignments ?? (c.has('IGNORE') ? 'ignore' : 'fail'),
  }
  return (x) => insert(x, statement)
}

function creation(c: Clauses): Work {
  const creating = { definition: c.definition, isLenient: c.has('IF NOT EXISTS') }
  return (x) => createTable(x, c.table, creating)
}

function isolationLevel(c: Clauses): Work {
  const scope = c.has('GLOBAL') ? 'global' : 'session'
  const level = c.text('level').replaceAll(' ', '-').toUpperCase()
  return (x) => setVariables(x, [{ scope, name: 'tx_isolation', operand: constant(level) }])
}

function characterSet(c: Clauses): Work {
  const operand = constant(c.text('name'))
  const names = ['character_set_client', 'character_set_connection', 'character_set_results']
  return (x) =>
    setVariables(
      x,
      names.map((name) => ({ scope: 'session', name, operand })),
    )
}

function listing(c: Clauses, what: 'status' | 'variables'): Work {
  const filter = { like: c.optionalValue, conditions: c.conditions }
  return (x) => showValues(x, what, filter)
}

// What a clause may look like; the others are anything, as short as possible.
const clausePatterns: Readonly<Record<string, string>> = {
  collation: String.raw`\w+`,
  column: String.raw`\w+`,
  definitions: '.+',
  name: String.raw`\w+`,
  names: String.raw`[\w,]+`,
  options: '.*',
  table: String.raw`\w+(?:\.\w+)?`,
  value: String.raw`-?:\d+`,
}

interface CompiledShape {
  readonly pattern: RegExp
  readonly concern: Concern
  readonly read: Shape[2]
}

const compiledShapes: ReadonlyMap<string, readonly CompiledShape[]> = compile()

function compile(): ReadonlyMap<string, readonly CompiledShape[]> {
  const compiled = new Map<string, CompiledShape[]>()
  for (const [pattern, concern, read] of shapes) {
    const firstWord = pattern.split(' ')[0] ?? ''
    const others = compiled.get(firstWord) ?? []
    compiled.set(firstWord, [...others, { pattern: regExpOf(pattern), concern, read }])
  }
  return compiled
}

function regExpOf(pattern: string): RegExp {
  const source = pattern
    .replaceAll(/[()]/g, '\\$&')
    .replaceAll(/\[([A-Z ]+)\]/g, (_, keyword: string) => `(?<${keyword.replaceAll(' ', '_')}>${keyword})?`)
    .replaceAll('[', '(?:')
    .replaceAll(']', ')?')
    .replaceAll('{', '(?:')
    .replaceAll('}', ')')
    .replaceAll(/\b[a-z]+\b/g, (name) => `(?<${name}>${clausePatterns[name] ?? '.+?'})`)
    .replaceAll(' ', String.raw`(?: |\b|(?<=\)))`)
  return new RegExp(`^${source}$`, 'i')
}
