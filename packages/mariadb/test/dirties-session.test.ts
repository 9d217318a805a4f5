import { describe, expect, test } from 'vitest'
import { dirtiesSession } from '../src/sql-text.ts'

describe('a statement', () => {
  test.each([
    'SET @a = 1',
    'set session sql_mode = ""',
    '  -- why\n SET NAMES latin1',
    '/* who */ SET NAMES latin1',
    '/* Maria */USE other',
    '# why\nUSE other',
    'LOCK TABLES t WRITE',
    'UNLOCK TABLES',
    'CREATE TEMPORARY TABLE x (id INT)',
    'create or replace temporary table x (id int)',
    'DROP TEMPORARY TABLE x',
    'PREPARE s FROM "SELECT 1"',
    'EXECUTE IMMEDIATE "SET @a = 1"',
    'DEALLOCATE PREPARE s',
    'HANDLER t OPEN',
    'FLUSH TABLES WITH READ LOCK',
    'BACKUP STAGE START',
    'CALL p()',
    'XA START "x"',
    'BEGIN NOT ATOMIC SET @a = 1; END',
    "SELECT GET_LOCK('a', 1)",
    'DO RELEASE_ALL_LOCKS()',
    'SELECT @n := @n + 1',
    'SELECT COUNT(*) INTO @n FROM t',
    '/*!50000 SET @a = 1 */',
    '/*M! SET @a = 1 */',
    '(SELECT 1 INTO @a)',
  ])('that may leave something behind stains: %s', (sql) => {
    expect(dirtiesSession(sql)).toBe(true)
  })

  test.each([
    'SELECT 1',
    '(SELECT 1)',
    'INSERT INTO settings (use_it) VALUES (1)',
    'UPDATE t SET v = 1 WHERE id = ?',
    'DELETE FROM t',
    'BEGIN',
    'START TRANSACTION READ ONLY',
    'COMMIT',
    'SAVEPOINT a',
    'CREATE TABLE t (id INT)',
    'DROP TABLE t',
    'SET STATEMENT max_statement_time=1 FOR SELECT 1',
    'SHOW STATUS',
    'SELECT preparedAt, setting FROM locks',
  ])('that leaves nothing does not: %s', (sql) => {
    expect(dirtiesSession(sql)).toBe(false)
  })
})
