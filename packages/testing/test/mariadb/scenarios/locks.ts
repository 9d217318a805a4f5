import type { Actor, Scenario, Stage } from './stage.ts'

async function twoActors(stage: Stage): Promise<readonly [Actor, Actor]> {
  const [one, other] = [await stage.actor(), await stage.actor()]
  await one.see('CREATE TABLE t (k VARCHAR(20) PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB')
  await one.see("INSERT INTO t VALUES ('a', 1)")
  await other.see('SET innodb_lock_wait_timeout = 1')
  await one.see('BEGIN')
  return [one, other]
}

const late = '1205 HY000: Lock wait timeout exceeded; try restarting transaction'

/** What two transactions on one node see of each other. */
export const locks: readonly Scenario[] = [
  {
    name: 'a row that is inserted and not committed',
    act: async (stage) => {
      const [one, other] = await twoActors(stage)
      await one.see("INSERT INTO t VALUES ('x', 1)")
      const seen = [
        await other.see("SELECT v FROM t WHERE k = 'x'"),
        await other.see("SELECT v FROM t WHERE k = 'x' FOR UPDATE"),
      ]
      await one.see('ROLLBACK')
      return [...seen, await other.see("SELECT v FROM t WHERE k = 'x' FOR UPDATE")]
    },
    expected: ['INT', late, 'INT'],
  },
  {
    name: 'what is read at READ UNCOMMITTED',
    act: async (stage) => {
      const [one, other] = await twoActors(stage)
      await other.see('SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED')
      await one.see("INSERT INTO t VALUES ('x', 7)")
      await one.see("UPDATE t SET v = 2 WHERE k = 'a'")
      const open = [await other.see('SELECT k, v FROM t'), await other.see("SELECT v FROM t WHERE k = 'x'")]
      await one.see("DELETE FROM t WHERE k = 'a'")
      const fewer = await other.see('SELECT k, v FROM t')
      await one.see('ROLLBACK')
      return [...open, fewer, await other.see('SELECT k, v FROM t')]
    },
    expected: [
      'VAR_STRING INT | k="a" v=2 | k="x" v=7',
      'INT | v=7',
      'VAR_STRING INT | k="x" v=7',
      'VAR_STRING INT | k="a" v=1',
    ],
  },
  {
    name: 'locks that are shared',
    act: async (stage) => {
      const [one, other] = await twoActors(stage)
      await one.see("SELECT v FROM t WHERE k = 'a' LOCK IN SHARE MODE")
      const shared = [
        await other.see("SELECT v FROM t WHERE k = 'a' LOCK IN SHARE MODE"),
        await other.see("UPDATE t SET v = 3 WHERE k = 'a'"),
      ]
      const changed = await one.see("UPDATE t SET v = 2 WHERE k = 'a'")
      await one.see('COMMIT')
      return [...shared, changed, await other.see("SELECT v FROM t WHERE k = 'a' LOCK IN SHARE MODE")]
    },
    expected: ['INT | v=1', late, 'ok 1', 'INT | v=2'],
  },
  {
    name: 'two who share a lock and both want to change the row',
    act: async (stage) => {
      const [one, other] = await twoActors(stage)
      await other.see('BEGIN')
      for (const each of [one, other]) await each.see("SELECT v FROM t WHERE k = 'a' LOCK IN SHARE MODE")
      const waiting = one.see("UPDATE t SET v = 2 WHERE k = 'a'")
      await new Promise((resolve) => setTimeout(resolve, 100))
      return [await other.see("UPDATE t SET v = 3 WHERE k = 'a'"), await waiting]
    },
    expected: ['1213 40001: Deadlock found when trying to get lock; try restarting transaction', 'ok 1'],
  },
]
