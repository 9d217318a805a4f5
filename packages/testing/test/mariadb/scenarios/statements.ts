import type { Actor, Scenario, Stage } from './stage.ts'

async function withTable(stage: Stage): Promise<Actor> {
  const actor = await stage.actor()
  await actor.see(
    'CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, k VARCHAR(20) NOT NULL, v BIGINT DEFAULT 5, d DATETIME(3), x DOUBLE, y DECIMAL(10,2), b BLOB) ENGINE=InnoDB',
  )
  return actor
}

async function each(actor: Actor, ...statements: readonly string[]): Promise<readonly string[]> {
  const all: string[] = []
  for (const sql of statements) all.push(await actor.see(sql))
  return all
}

/** What a server answers to ordinary statements. */
export const statements: readonly Scenario[] = [
  {
    name: 'types of what is computed',
    act: async (stage) =>
      (await stage.actor()).see("SELECT 1, 'x' AS b, NULL, 1.5, 3000000000, @@autocommit AS p, DATABASE()"),
    expected:
      'INT VAR_STRING NULL NEWDECIMAL BIGINT BIGINT VAR_STRING | 1=1 3000000000=3000000000n b="x" NULL=null 1.5="1.5" p=1n DATABASE()="ha"',
  },
  {
    name: 'types of what is counted',
    act: async (stage) => {
      const actor = await withTable(stage)
      await actor.see("INSERT INTO t (k, v, x, y) VALUES ('a', 1, 1.5, '2.50'), ('b', 2, 2.5, '3.50')")
      return each(actor, 'SELECT COUNT(*), SUM(id), SUM(v), SUM(x), MAX(v), MIN(k) AS m FROM t')
    },
    expected: [
      'BIGINT NEWDECIMAL NEWDECIMAL DOUBLE BIGINT VAR_STRING | COUNT(*)=2n SUM(id)="5" SUM(v)="3" SUM(x)=4 MAX(v)=2n m="a"',
    ],
  },
  {
    name: 'rows in text and in binary',
    act: async (stage) => {
      const actor = await withTable(stage)
      await actor.seePrepared('INSERT INTO t (k, v, d, x, b) VALUES (?, ?, ?, ?, ?)', [
        'a',
        9007199254740993n,
        '2026-01-02 03:04:05.678',
        -1.25,
        Buffer.from([0, 255]),
      ])
      return [
        await actor.see('SELECT id, k, v, x, y, b FROM t'),
        await actor.seePrepared('SELECT id, k, v, x, y, b FROM t WHERE id = ?', [1]),
      ]
    },
    expected: [
      'INT VAR_STRING BIGINT DOUBLE NEWDECIMAL BLOB | id=1 k="a" v=9007199254740993n x=-1.25 y=null b=<00ff>',
      'INT VAR_STRING BIGINT DOUBLE NEWDECIMAL BLOB | id=1 k="a" v=9007199254740993n x=-1.25 y=null b=<00ff>',
    ],
  },
  {
    name: 'counts of what is changed',
    act: async (stage) =>
      each(
        await withTable(stage),
        "INSERT INTO t (k) VALUES ('a'), ('b')",
        'UPDATE t SET v = 5',
        'UPDATE t SET v = v + 1',
        "INSERT INTO t (id, k) VALUES (1, 'z') ON DUPLICATE KEY UPDATE k = VALUES(k)",
        "INSERT INTO t (id, k) VALUES (1, 'z') ON DUPLICATE KEY UPDATE k = VALUES(k)",
        "INSERT IGNORE INTO t (id, k) VALUES (1, 'y')",
        'SELECT id, k, v FROM t',
        'DELETE FROM t WHERE v > 100',
        'DELETE FROM t',
      ),
    expected: [
      'ok 2 id 1',
      'ok 2',
      'ok 2',
      'ok 2 id 1',
      'ok 1',
      'ok 0 warnings 1',
      'INT VAR_STRING BIGINT | id=1 k="z" v=6n | id=4 k="b" v=6n',
      'ok 0',
      'ok 2',
    ],
  },
  {
    name: 'refusals',
    act: async (stage) =>
      each(
        await withTable(stage),
        "INSERT INTO t (id, k) VALUES (1, 'a')",
        "INSERT INTO t (id, k) VALUES (1, 'b')",
        'INSERT INTO t (v) VALUES (1)',
        'INSERT INTO t (k) VALUES (NULL)',
        "INSERT INTO t (k, v) VALUES ('a')",
        'SELECT nope FROM t',
        'UPDATE t SET nope = 1',
        'SELECT * FROM nope',
        'CREATE TABLE t (a INT)',
        'DROP TABLE nope',
        'SELECT * FROM t WHERE nope = 1',
        'INSERT INTO t (nope) VALUES (1)',
        'SELECT * FROM t ORDER BY nope',
        'DROP TABLE IF EXISTS nope',
        'SET nope = 1',
        'SELECT @@nope',
        'ROLLBACK TO SAVEPOINT nope',
        'KILL 4000000',
      ),
    expected: [
      'ok 1 id 1',
      "1062 23000: Duplicate entry '1' for key 'PRIMARY'",
      "1364 HY000: Field 'k' doesn't have a default value",
      "1048 23000: Column 'k' cannot be null",
      "1136 21S01: Column count doesn't match value count at row 1",
      "1054 42S22: Unknown column 'nope' in 'SELECT'",
      "1054 42S22: Unknown column 'nope' in 'SET'",
      "1146 42S02: Table 'ha.nope' doesn't exist",
      "1050 42S01: Table 't' already exists",
      "1051 42S02: Unknown table 'ha.nope'",
      "1054 42S22: Unknown column 'nope' in 'WHERE'",
      "1054 42S22: Unknown column 'nope' in 'INSERT INTO'",
      "1054 42S22: Unknown column 'nope' in 'ORDER BY'",
      'ok 0 warnings 1',
      "1193 HY000: Unknown system variable 'nope'",
      "1193 HY000: Unknown system variable 'nope'",
      '1305 42000: SAVEPOINT nope does not exist',
      '1094 HY000: Unknown thread id: 4000000',
    ],
  },
  {
    name: 'refusals in a transaction that only reads',
    act: async (stage) =>
      each(await withTable(stage), 'START TRANSACTION READ ONLY', "INSERT INTO t (k) VALUES ('a')", 'COMMIT'),
    expected: ['ok 0', '1792 25006: Cannot execute statement in a READ ONLY transaction', 'ok 0'],
  },
  {
    name: 'log-ins that are refused',
    act: async (stage) => {
      const wrong = await stage
        .connect(1, { password: 'no' })
        .catch((error: { sqlMessage: string }) => error.sqlMessage)
      return wrong
    },
    expected: "Access denied for user 'ha'@'127.0.0.1' (using password: YES)",
  },
  {
    name: 'statements that take too long, or are killed',
    act: async (stage) => {
      const [one, two] = [await stage.actor(), await stage.actor()]
      const late = await one.see('SET STATEMENT max_statement_time = 0.1 FOR SELECT SLEEP(5) AS s')
      const asleep = two.see('SELECT SLEEP(5) AS s')
      await new Promise((resolve) => setTimeout(resolve, 100))
      await one.see(`KILL QUERY ${two.connection.threadId}`)
      const killed = await asleep
      const again = two.see('SELECT SLEEP(5) AS s')
      await new Promise((resolve) => setTimeout(resolve, 100))
      await one.see(`KILL ${two.connection.threadId}`)
      return [late, killed, await again, two.errors]
    },
    expected: [
      '1969 70100: Query execution was interrupted (max_statement_time exceeded)',
      '1317 70100: Query execution was interrupted',
      '45009 08S01: socket has unexpectedly been closed',
      ['45009 08S01: socket has unexpectedly been closed'],
    ],
  },
  {
    name: 'values that a client sets',
    act: async (stage) =>
      each(
        await stage.actor(),
        'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
        'SELECT @@tx_isolation AS i',
        "SET time_zone = '+02:00', @a = 5",
        'SELECT @@time_zone AS z, @a AS a',
        'SET autocommit = 0',
        'SELECT @@autocommit AS a, @@session.wsrep_sync_wait AS w, @@global.read_only AS r',
        "SHOW VARIABLES LIKE 'autocommit'",
      ),
    expected: [
      'ok 0',
      'VAR_STRING | i="READ-COMMITTED"',
      'ok 0',
      'VAR_STRING BIGINT | z="+02:00" a=5n',
      'ok 0',
      'BIGINT BIGINT BIGINT | a=0n w=0n r=0n',
      'VAR_STRING VAR_STRING | Variable_name="autocommit" Value="OFF"',
    ],
  },
  {
    name: 'times that are counted with',
    act: async (stage) => {
      const actor = await stage.actor()
      return each(
        actor,
        'CREATE TABLE t (id INT PRIMARY KEY, d DATETIME(3), at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), KEY (at)) ENGINE=InnoDB',
        "INSERT INTO t (id, d) VALUES (1, '2026-01-02 03:04:05.678')",
        'SELECT id FROM t WHERE at < CURRENT_TIMESTAMP(3) - INTERVAL 60 SECOND LIMIT 5',
        'SELECT id FROM t WHERE at > CURRENT_TIMESTAMP(3) - INTERVAL 60 SECOND LIMIT 5',
        'DELETE FROM t WHERE id IN (1, 2)',
      )
    },
    expected: ['ok 0', 'ok 1', 'INT', 'INT | id=1', 'ok 1'],
  },
]
