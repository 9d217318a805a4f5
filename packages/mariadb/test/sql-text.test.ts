import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isReadOnly, sessionUse } from '../src/sql-text.ts'

describe('statements that change nothing', () => {
  test.each([
    'SELECT 1',
    '  select a, b from t where id = ? for update',
    "SELECT count(*) FROM t WHERE name = 'INTO; DELETE'",
    '(SELECT 1) UNION (SELECT 2)',
    'WITH x AS (SELECT 1) SELECT * FROM x',
    'SELECT REPLACE(a, "x", "y") FROM `insert`',
    'SELECT a FROM t WHERE id IN (?, ?) -- INTO',
    '/* by the report */ SHOW STATUS LIKE "a"',
    'SELECT CAST(a AS DECIMAL(10, 2)), CONVERT(b, CHAR(10)) FROM t # INTO',
    'EXPLAIN SELECT 1',
    'SELECT 1;',
  ])('%s', (sql) => {
    expect(isReadOnly(sql)).toBe(true)
  })
})

describe('statements of which that cannot be seen', () => {
  test.each([
    'INSERT INTO t VALUES (1)',
    'UPDATE t SET a = 1',
    'CALL p()',
    'SELECT next_invoice()',
    'SELECT `next_invoice`()',
    'SELECT db.next_invoice (1)',
    'SELECT NEXTVAL(s)',
    'SELECT s.nextval',
    'SELECT shop.md5(1)',
    'SELECT NEXT VALUE FOR s',
    'SELECT GET_LOCK("a", 1)',
    'SELECT a INTO @a FROM t',
    'SELECT a FROM t INTO OUTFILE "f"',
    'SELECT @a := 1',
    'SELECT 1; DELETE FROM t',
    'EXPLAIN ANALYZE UPDATE t SET a = 1',
    'WITH x AS (SELECT 1) DELETE FROM t',
    '/*! INSERT INTO t VALUES (1) */',
    'SELECT 1 /*M!100000 INTO OUTFILE "f" */',
    "SELECT 'not ended",
    'SELECT LAST_INSERT_ID(5)',
    '',
    ';',
  ])('%s', (sql) => {
    expect(isReadOnly(sql)).toBe(false)
  })

  test('no text that begins with a write is ever harmless', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('INSERT', 'UPDATE', 'DELETE', 'REPLACE', 'CALL', 'SET'),
        fc.string(),
        (verb, rest) => {
          expect(isReadOnly(`${verb} ${rest}`)).toBe(false)
        },
      ),
    )
  })

  test('a long statement is read in time that grows with its length', () => {
    expect(isReadOnly(`SELECT '${"''".repeat(200_000)}' ${'/* '.repeat(100_000)}`)).toBe(false)
  })
})

describe('a statement that needs a session of its own', () => {
  test.each([
    ['START TRANSACTION', 'transaction()'],
    ['begin', 'transaction()'],
    ['BEGIN WORK;', 'transaction()'],
    ['/* x */ -- y\n COMMIT', 'transaction()'],
    ['rollback to a', 'transaction()'],
    ['SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE', 'transaction()'],
    ['SET @a = 1', 'session()'],
    ["SET SESSION sql_mode = ''", 'session()'],
    ['/*!40101 SET NAMES utf8 */', 'session()'],
    ['USE other', 'session()'],
    ['LOCK TABLES t WRITE', 'session()'],
    ['flush tables a, b with read lock', 'session()'],
    ['CREATE OR REPLACE TEMPORARY TABLE x (a INT)', 'session()'],
    ['HANDLER t OPEN', 'session()'],
    ["XA START 'a'", 'session()'],
    ["PREPARE s FROM 'SELECT 1'", 'session()'],
    ["(SELECT get_lock ('a', 1))", 'session()'],
    ["DO RELEASE_LOCK('a')", 'session()'],
  ])('%s is refused in favour of %s', (sql, call) => {
    expect(sessionUse(sql)).toMatchObject({ kind: 'refused', call })
  })

  test.each(['SELECT LAST_INSERT_ID()', 'SELECT FOUND_ROWS( )', 'SELECT id INTO @a FROM t LIMIT 1'])(
    '%s is doubtful',
    (sql) => {
      expect(sessionUse(sql)).toMatchObject({ kind: 'doubtful' })
    },
  )

  test.each([
    'SELECT \'GET_LOCK(a, 1)\', "LOCK TABLES", `GET_LOCK`',
    'UPDATE c SET id = LAST_INSERT_ID(id + 1)',
    'SET GLOBAL max_connections = 5',
    'SET STATEMENT max_statement_time = 1 FOR SELECT 1',
    "SET PASSWORD FOR 'a' = PASSWORD('b')",
    'BEGIN NOT ATOMIC SELECT 1; END',
    'SELECT @n := @n + 1',
    "SELECT IS_USED_LOCK('a')",
    'CALL page(1, @total)',
    "EXECUTE IMMEDIATE 'SELECT 1'",
    'FLUSH TABLES',
    'DROP TABLE t',
    'SELECT begin, commit FROM t',
  ])('%s needs none', (sql) => {
    expect(sessionUse(sql)).toBeUndefined()
  })
})
