import type { Actor, Scenario, Stage } from './stage.ts'

async function twoNodes(stage: Stage): Promise<readonly [Actor, Actor]> {
  const [one, two] = [await stage.actor(1), await stage.actor(2)]
  await one.see('CREATE TABLE t (k VARCHAR(20) PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB')
  await one.see("INSERT INTO t VALUES ('a', 1), ('b', 1)")
  await two.see('SET wsrep_sync_wait = 1')
  await two.see('SELECT COUNT(*) FROM t')
  return [one, two]
}

/** What nodes show that belong together. */
export const clusters: readonly Scenario[] = [
  {
    name: 'the first of two nodes to commit wins',
    act: async (stage) => {
      const [one, two] = await twoNodes(stage)
      for (const each of [one, two]) {
        await each.see('BEGIN')
        await each.see("UPDATE t SET v = v + 1 WHERE k = 'a'")
      }
      return [await one.see('COMMIT'), await two.see('COMMIT'), await two.see('SELECT v FROM t')]
    },
    expected: [
      'ok 0',
      '1213 40001: Deadlock found when trying to get lock; try restarting transaction',
      'INT | v=2 | v=1',
    ],
  },
  {
    name: 'who has lost hears of it at its next statement, and goes on',
    act: async (stage) => {
      const [one, two] = await twoNodes(stage)
      await one.see('BEGIN')
      await one.see("UPDATE t SET v = 7 WHERE k = 'a'")
      await two.see("UPDATE t SET v = 8 WHERE k = 'a'")
      const third = await stage.actor(1)
      await third.see('SET wsrep_sync_wait = 1')
      await third.see('SELECT * FROM t')
      return [
        await one.see("UPDATE t SET v = 9 WHERE k = 'b'"),
        await one.see('COMMIT'),
        await third.see('SELECT v FROM t'),
      ]
    },
    expected: [
      '1213 40001: Deadlock found when trying to get lock; try restarting transaction',
      'ok 0',
      'INT | v=8 | v=1',
    ],
  },
  {
    name: 'locks on one node',
    act: async (stage) => {
      const [one] = await twoNodes(stage)
      const other = await stage.actor(1)
      await one.see('BEGIN')
      await one.see("INSERT INTO t VALUES ('x', 1)")
      await other.see('SET innodb_lock_wait_timeout = 1')
      const late = await other.see("INSERT INTO t VALUES ('x', 2)")
      await one.see('COMMIT')
      return [late, await other.see("INSERT INTO t VALUES ('x', 2)")]
    },
    expected: [
      '1205 HY000: Lock wait timeout exceeded; try restarting transaction',
      "1062 23000: Duplicate entry 'x' for key 'PRIMARY'",
    ],
  },
  {
    name: 'what was written last, on another node',
    act: async (stage) => {
      const [one, two] = await twoNodes(stage)
      await one.see("UPDATE t SET v = 3 WHERE k = 'a'")
      const token = (await one.connection.query('SELECT WSREP_LAST_WRITTEN_GTID() AS token'))[0].token
      return [
        await two.see('SELECT WSREP_SYNC_WAIT_UPTO_GTID(?, 5) AS s', [token]),
        await two.see("SELECT WSREP_SYNC_WAIT_UPTO_GTID('nope', 5) AS s"),
        /^\d+-\d+-\d+$/.test(token),
      ]
    },
    expected: ['STRING | s="1"', '1941 HY000: Could not parse GTID list', true],
  },
  {
    name: 'waits for a position that does not come',
    act: async (stage) => {
      const [one, two] = await twoNodes(stage)
      const [written] = await one.connection.query('SELECT WSREP_LAST_WRITTEN_GTID() AS token')
      const token = String(written.token)
      const future = token.replace(/\d+$/, (seqno) => String(Number(seqno) + 1_000))
      const began = performance.now()
      const short = await two.see('SELECT WSREP_SYNC_WAIT_UPTO_GTID(?, 0.9) AS s', [future])
      const rounded = performance.now() - began < 500
      const several = await two.see('SELECT WSREP_SYNC_WAIT_UPTO_GTID(?, 1) AS s', [`${token},${token}`])
      // It waits for a primary that the node follows, and there is none.
      const followed = await one.see('SELECT MASTER_GTID_WAIT(?, 0.1) AS w', [token])
      return [short, rounded, several, followed]
    },
    expected: [
      '1205 HY000: Lock wait timeout exceeded; try restarting transaction',
      true,
      '1210 HY000: Incorrect arguments to wsrep_sync_wait_upto_gtid',
      'INT | w=-1',
    ],
  },
  {
    name: 'a node that is cut off, and what was open on it',
    act: async (stage) => {
      const [one, two] = await twoNodes(stage)
      const [open, overtaken] = [await stage.actor(2), await stage.actor(2)]
      await begin(open, "UPDATE t SET v = 5 WHERE k = 'b'")
      await begin(overtaken, "UPDATE t SET v = 5 WHERE k = 'a'")
      await two.see('SET wsrep_sync_wait = 0')
      const back = await stage.isolate(2)
      const shown: unknown[] = []
      for (const sql of questions) shown.push(await two.see(sql))
      const late = [
        await open.see('COMMIT'),
        await open.see('SELECT 1 AS n'),
        await overtaken.see('ROLLBACK'),
      ]
      const written = await one.see("UPDATE t SET v = 4 WHERE k = 'a'")
      await back()
      const kept = await open.see('SELECT k, v FROM t')
      const after = [await open.see('COMMIT'), await overtaken.see('COMMIT')]
      return {
        shown,
        late,
        written,
        kept,
        after,
        errors: [two.errors, open.errors],
        last: await one.see('SELECT v FROM t'),
      }
    },
    expected: {
      shown: [
        '1047 08S01: WSREP has not yet prepared node for application use',
        '1047 08S01: WSREP has not yet prepared node for application use',
        'INT | n=1',
        'VAR_STRING VAR_STRING | Variable_name="wsrep_ready" Value="OFF"',
        'VAR_STRING VAR_STRING | Variable_name="wsrep_cluster_status" Value="non-Primary"',
        'VAR_STRING VAR_STRING | Variable_name="wsrep_local_state" Value="0"',
        'VAR_STRING VAR_STRING | Variable_name="wsrep_local_state_comment" Value="Initialized"',
        'VAR_STRING VAR_STRING | Variable_name="wsrep_connected" Value="ON"',
        'VAR_STRING VAR_STRING | Variable_name="wsrep_cluster_size" Value="1"',
        'VAR_STRING VAR_STRING | Variable_name="wsrep_local_index" Value="0"',
        'VAR_STRING VAR_STRING | Variable_name="wsrep_sst_donor_rejects_queries" Value="OFF"',
        '1047 08S01: WSREP has not yet prepared node for application use',
        '1047 08S01: WSREP has not yet prepared node for application use',
        '1047 08S01: WSREP has not yet prepared node for application use',
        'ok 0',
      ],
      late: [
        '1047 08S01: WSREP has not yet prepared node for application use',
        'INT | n=1',
        '1047 08S01: WSREP has not yet prepared node for application use',
      ],
      written: 'ok 1',
      kept: 'VAR_STRING INT | k="a" v=4 | k="b" v=5',
      after: ['ok 0', '1213 40001: Deadlock found when trying to get lock; try restarting transaction'],
      errors: [[], []],
      last: 'INT | v=4 | v=5',
    },
  },
  {
    name: 'a node that stood still until it was given up',
    act: async (stage) => {
      const [one] = await twoNodes(stage)
      const [late, open, overtaken] = [await stage.actor(2), await stage.actor(2), await stage.actor(2)]
      await one.see("INSERT INTO t VALUES ('c', 1)")
      await begin(late, "INSERT INTO t VALUES ('token', 1)")
      await begin(open, "UPDATE t SET v = 5 WHERE k = 'b'")
      await begin(overtaken, "UPDATE t SET v = 5 WHERE k = 'a'")
      const back = await stage.pause(2)
      const commit = late.see('COMMIT')
      const fence = [
        await one.see("INSERT INTO t VALUES ('token', 2)"),
        await one.see("UPDATE t SET v = 7 WHERE k = 'a'"),
      ]
      await back()
      const after = [refusal(await commit), await open.see('COMMIT'), await overtaken.see('COMMIT')]
      return { fence, after, last: await open.see('SELECT k, v FROM t'), errors: [late.errors, open.errors] }
    },
    expected: {
      fence: ['ok 1', 'ok 1'],
      after: [
        'refused: 1047 or 1180',
        'ok 0',
        '1213 40001: Deadlock found when trying to get lock; try restarting transaction',
      ],
      last: 'VAR_STRING INT | k="a" v=7 | k="b" v=5 | k="c" v=1 | k="token" v=2',
      errors: [[], []],
    },
  },
]

// Who says no to a COMMIT that waited while its node stood still differs from run to run: the server, when it has noticed
// what happened, or the provider below it.
function refusal(said: string): string {
  return /^(?:1047 08S01|1180 HY000): /.test(said) ? 'refused: 1047 or 1180' : said
}

async function begin(actor: Actor, sql: string): Promise<void> {
  await actor.see('BEGIN')
  await actor.see(sql)
}

const questions: readonly string[] = [
  'SELECT * FROM t',
  "INSERT INTO t VALUES ('c', 1)",
  'SELECT 1 AS n',
  "SHOW STATUS LIKE 'wsrep_ready'",
  "SHOW STATUS LIKE 'wsrep_cluster_status'",
  "SHOW STATUS LIKE 'wsrep_local_state'",
  "SHOW STATUS LIKE 'wsrep_local_state_comment'",
  "SHOW STATUS LIKE 'wsrep_connected'",
  "SHOW STATUS LIKE 'wsrep_cluster_size'",
  "SHOW STATUS LIKE 'wsrep_local_index'",
  "SHOW VARIABLES LIKE 'wsrep_sst_donor_rejects_queries'",
  'BEGIN',
  'COMMIT',
  'TRUNCATE TABLE t',
  'SET autocommit = 1',
]
