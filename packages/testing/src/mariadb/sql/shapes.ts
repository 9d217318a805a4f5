import type { Execution } from '../engine/session.ts'
import type { Answer } from '../wire/answers.ts'
import { type Clauses, readClauses, type VariableAssignment } from './clauses.ts'
import { constant } from './operands.ts'
import { select } from './select.ts'
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
} from './statements.ts'
import { NoMatchingShape, type Template } from './template.ts'
import { insert, remove, update } from './writes.ts'

/** The kind of a statement: a node that is not ready refuses all but `session`, a read-only one refuses `write`. */
type StatementKind = 'read' | 'write' | 'transaction' | 'session'

/** Runs a statement; fails with a server error. */
type Run = (execution: Execution, clauses: Clauses) => Answer | Promise<Answer>

/**
 * A form of statement that the fake server runs. In its pattern, upper case stands for itself, `[…]` may be left out,
 * `{…|…}` is a choice, and lower case is a name, a value or a clause.
 */
type Shape = readonly [pattern: string, kind: StatementKind, run: Run]

const shapes: readonly Shape[] = [
  [
    'SELECT items FROM table [WHERE conditions] [ORDER BY column [DESC]] [LIMIT value] [FOR UPDATE] [LOCK IN SHARE MODE]',
    'read',
    (x, c) => select(x, c, c.table),
  ],
  ['SELECT items', 'session', (x, c) => select(x, c, undefined)],
  ['INSERT [IGNORE] INTO table [(names)] VALUES rows [ON DUPLICATE KEY UPDATE assignments]', 'write', insert],
  ['UPDATE table SET assignments [WHERE conditions]', 'write', update],
  ['DELETE FROM table [WHERE conditions]', 'write', remove],
  ['CREATE TABLE [IF NOT EXISTS] table (definitions) [options]', 'write', createTable],
  ['DROP TABLE [IF EXISTS] table', 'write', dropTable],
  ['TRUNCATE [TABLE] table', 'write', truncateTable],
  ['BEGIN', 'transaction', (x) => begin(x, undefined)],
  ['START TRANSACTION', 'transaction', (x) => begin(x, undefined)],
  ['START TRANSACTION READ ONLY', 'transaction', (x) => begin(x, 'read-only')],
  ['START TRANSACTION READ WRITE', 'transaction', (x) => begin(x, 'read-write')],
  ['COMMIT', 'transaction', (x) => end(x, 'commit')],
  ['ROLLBACK', 'transaction', (x) => end(x, 'rollback')],
  ['SAVEPOINT name', 'transaction', (x, c) => setSavepoint(x, c.text('name'))],
  ['ROLLBACK TO [SAVEPOINT] name', 'transaction', (x, c) => endSavepoint(x, 'rollbackTo', c.text('name'))],
  ['RELEASE SAVEPOINT name', 'transaction', (x, c) => endSavepoint(x, 'release', c.text('name'))],
  ['SET NAMES name [COLLATE collation]', 'session', (x, c) => setVariables(x, characterSets(c))],
  [
    'SET [GLOBAL] [SESSION] TRANSACTION ISOLATION LEVEL level',
    'session',
    (x, c) => setVariables(x, [isolationLevel(c)]),
  ],
  ['SET settings', 'session', (x, c) => setVariables(x, c.settings)],
  ['USE name', 'session', (x, c) => useSchema(x.session, c.text('name'))],
  [
    'SHOW [GLOBAL] [SESSION] STATUS [LIKE value] [WHERE conditions]',
    'session',
    (x, c) => showValues(x, 'status', c),
  ],
  ['SHOW GLOBAL VARIABLES [LIKE value] [WHERE conditions]', 'session', (x, c) => showValues(x, 'globals', c)],
  [
    'SHOW [SESSION] VARIABLES [LIKE value] [WHERE conditions]',
    'session',
    (x, c) => showValues(x, 'variables', c),
  ],
  ['SHOW [ALL] {SLAVE|SLAVES|REPLICA|REPLICAS} STATUS', 'session', showReplica],
  ['KILL [CONNECTION] value', 'session', (x, c) => kill(x, 'connection', c.value)],
  ['KILL QUERY value', 'session', (x, c) => kill(x, 'query', c.value)],
]

/** The patterns of all statements that the fake server runs by itself; the guide lists the same. */
export const shapePatterns: readonly string[] = shapes.map(([pattern]) => pattern)

/** A statement that fits a shape. */
export interface MatchedStatement {
  readonly kind: StatementKind
  readonly isRollback: boolean
  /** Variables that hold only for this statement: `SET STATEMENT … FOR …`. */
  readonly settings: readonly VariableAssignment[]
  readonly run: (execution: Execution) => Answer | Promise<Answer>
}

/** The shape that a statement fits, with its clauses; undefined when it fits none. */
export function matchStatement(template: Template): MatchedStatement | undefined {
  const [, prefix, rest] = /^SET STATEMENT (.+?) FOR (.+)$/i.exec(template.text) ?? []
  const text = rest ?? template.text
  const settings = clausesOf(template, { settings: prefix })?.settings
  if (settings === undefined) return undefined
  const candidates = compiledShapes.get(/^\w*/.exec(text)?.[0].toUpperCase() ?? '') ?? []
  for (const { pattern, kind, run } of candidates) {
    const match = pattern.exec(text)
    const clauses = match === null ? undefined : clausesOf(template, match.groups ?? {})
    if (clauses === undefined) continue
    return { kind, isRollback: /^ROLLBACK$/i.test(text), settings, run: (x) => run(x, clauses) }
  }
  return undefined
}

function clausesOf(
  template: Template,
  captured: Readonly<Record<string, string | undefined>>,
): Clauses | undefined {
  try {
    return readClauses(template, captured)
  } catch (error) {
    if (error instanceof NoMatchingShape) return undefined
    throw error
  }
}

function isolationLevel(c: Clauses): VariableAssignment {
  const scope = c.has('GLOBAL') ? 'global' : 'session'
  const level = c.text('level').replaceAll(' ', '-').toUpperCase()
  return { scope, name: 'tx_isolation', operand: constant(level) }
}

function characterSets(c: Clauses): readonly VariableAssignment[] {
  const names = ['character_set_client', 'character_set_connection', 'character_set_results']
  return names.map((name) => ({ scope: 'session', name, operand: constant(c.text('name')) }))
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
  readonly kind: StatementKind
  readonly run: Run
}

const compiledShapes: ReadonlyMap<string, readonly CompiledShape[]> = compile()

function compile(): ReadonlyMap<string, readonly CompiledShape[]> {
  const compiled = new Map<string, CompiledShape[]>()
  for (const [pattern, kind, run] of shapes) {
    const firstWord = pattern.split(' ')[0] ?? ''
    const others = compiled.get(firstWord) ?? []
    compiled.set(firstWord, [...others, { pattern: regExpOf(pattern), kind, run }])
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
