import { describe, expect, it } from 'vitest'
import { describeEnd } from './describe-end.ts'
import { galeraHarness, replicationHarness, rowsOf } from './harness.ts'

const insert = "INSERT INTO t VALUES ('a', 1)"
const select = "SELECT v FROM t WHERE k = 'a'"

describe('a write whose answer was lost', () => {
  it.each(['before', 'unanswered', { requestByte: 9 }, { answerByte: 3 }] as const)(
    'is never sent twice, and is unknown, when it is cut at %j',
    async (at) => {
      const { db, cluster, events } = await galeraHarness()
      cluster.script({ when: { sql: insert, times: 1 }, do: 'cut', how: 'reset', at })
      expect(await describeEnd(db.query(insert))).toBe('outcome-unknown unknown 08007')
      expect(cluster.log.count({ sql: insert })).toBe(1)
      expect(events.filter(({ name }) => name === 'outcomeUnknown')).toMatchObject([
        { event: { name: 'query', token: undefined, endpoint: cluster.node(1).address } },
      ])
    },
  )

  it('is sent again elsewhere when the caller says that twice is harmless', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: insert, times: 1 }, do: 'cut', how: 'reset' })
    await db.query(insert, undefined, { repeatable: true })
    expect(await rowsOf(cluster)).toEqual({ a: 1 })
  })

  it('is not sent again though it is a SELECT, when that calls a function of its own', async () => {
    const { db, cluster } = await galeraHarness()
    const sql = 'SELECT book_order(7) AS booked'
    cluster.script({ when: { sql }, do: 'cut', how: 'reset' })
    expect(await describeEnd(db.query(sql))).toBe('outcome-unknown unknown 08007')
    expect(cluster.log.count({ sql })).toBe(1)
  })

  it('of a batch is not lost: nothing of it was committed, and all of it is run again', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { command: 'bulk-execute', times: 1 }, do: 'cut', how: 'reset' })
    await db.batch('INSERT INTO t VALUES (?, ?)', [
      ['a', 1],
      ['b', 2],
    ])
    expect(await rowsOf(cluster)).toEqual({ a: 1, b: 2 })
  })
})

describe('a read whose answer was lost', () => {
  it.each(['reset', 'end', 'half'] as const)('is sent again (%s)', async (how) => {
    const { db, cluster } = await galeraHarness()
    await cluster.query(insert)
    cluster.script({ when: { sql: select, times: 1 }, do: 'cut', how })
    expect(await db.query(select)).toEqual([{ v: 1 }])
    expect(cluster.log.count({ sql: select })).toBe(2)
  })

  it('goes to another server when its own is dead', async () => {
    const { db, cluster } = await galeraHarness()
    await cluster.query(insert)
    await db.ready()
    await cluster.node(1).kill()
    expect(await db.query(select)).toEqual([{ v: 1 }])
    expect(cluster.log.entries({ sql: select }).map(({ node }) => node)).toEqual([2])
  })

  it('is unknown when the caller says that twice is not harmless', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: select, times: 1 }, do: 'cut', how: 'reset' })
    expect(await describeEnd(db.query(select, undefined, { repeatable: false }))).toBe(
      'outcome-unknown unknown 08007',
    )
  })
})

describe('what was provably not done', () => {
  it('is done elsewhere when the server could not even be reached', async () => {
    const { db, cluster } = await galeraHarness()
    await cluster.node(1).kill()
    await db.query(insert)
    expect(await rowsOf(cluster)).toEqual({ a: 1 })
    expect(cluster.log.count({ sql: insert })).toBe(1)
  })

  it.each(['connect', 'log-in'] as const)('is done elsewhere when it is cut at %s', async (command) => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { command, node: 1 }, do: 'cut', how: 'reset' })
    await db.query(insert)
    expect(await rowsOf(cluster)).toEqual({ a: 1 })
  })

  it('is done by another server when its own has become read-only', async () => {
    const { db, cluster } = await galeraHarness()
    await db.ready()
    cluster.node(1).set({ read_only: 'ON' })
    await db.query(insert)
    const [first, ...others] = cluster.log.entries({ sql: insert }).map(({ node }) => node)
    expect([first, others.at(-1)]).toEqual([1, 2])
    expect(await rowsOf(cluster)).toEqual({ a: 1 })
  })

  it('is read from another server when its own has lost its quorum', async () => {
    const { db, cluster } = await galeraHarness()
    await cluster.query(insert)
    await db.ready()
    cluster.node(1).set({ wsrep_ready: 'OFF' })
    expect(await db.query(select)).toEqual([{ v: 1 }])
    expect(cluster.log.entries({ sql: select })[0]?.node).toBe(1)
  })

  it.each([1213, 1020, 1205])('is done again when the server answers %i', async (errno) => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: insert, times: 2 }, do: 'refuse', errno })
    await db.query(insert)
    expect(cluster.log.count({ sql: insert })).toBe(3)
  })

  it('is tried until the deadline and not one try longer', async () => {
    const { db, cluster } = await replicationHarness()
    cluster.script({ when: { sql: insert }, do: 'refuse', errno: 1213 })
    const error = await db.query(insert, undefined, { timeoutMs: 300 }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ outcome: 'not-done', errno: 1213, retryable: true })
    const tries = cluster.log.count({ sql: insert })
    await db.query('SELECT 1')
    expect(cluster.log.count({ sql: insert })).toBe(tries)
  })
})

describe('what the server answers', () => {
  it('is duplicate-key with its number for a key that exists', async () => {
    const { db, cluster } = await galeraHarness()
    await cluster.query(insert)
    await expect(db.query(insert)).rejects.toMatchObject({
      code: 'duplicate-key',
      errno: 1062,
      sqlState: '23000',
      outcome: 'not-done',
      endpoint: cluster.node(1).address,
    })
  })

  it('is rejected, with its number, for a statement that is wrong', async () => {
    const { db } = await galeraHarness()
    await expect(db.query('SELECT * FROM nowhere')).rejects.toMatchObject({
      code: 'rejected',
      errno: 1146,
      sqlState: '42S02',
      outcome: 'not-done',
    })
  })

  it('reads as a list of rows with what was written beside it', async () => {
    const { db } = await galeraHarness()
    const written = await db.execute('INSERT INTO t VALUES (?, ?)', ['a', 7])
    expect([written.affectedRows, written.length]).toEqual([1, 0])
    const read = await db.execute<{ v: number }>('SELECT v FROM t WHERE k = :k', { k: 'a' })
    expect(read[0]?.v).toBe(7)
    expect(read.columns).toMatchObject([{ name: 'v' }])
  })
})

describe('a read that loses its connection each time', () => {
  it('is given up after four attempts, and the retries of others are not spent', async () => {
    const { db, cluster } = await galeraHarness()
    await cluster.query(insert)
    cluster.script({ when: { sql: /poison/ }, do: 'cut', how: 'reset', at: 'before' })
    const poison = (): Promise<unknown> => db.query("SELECT 'poison' AS p FROM t")
    await expect(poison()).rejects.toMatchObject({
      code: 'retry-budget-exhausted',
      outcome: 'not-done',
      message: expect.stringMatching(/\(attempt 4\)$/),
    })
    expect(cluster.log.count({ sql: /poison/ })).toBe(4)
    cluster.script({ when: { sql: select, times: 1 }, do: 'cut', how: 'reset' })
    expect(await db.query(select)).toEqual([{ v: 1 }])
  })

  it('is not sent again when a person kills it', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: select }, do: 'refuse', errno: 1317 })
    await expect(db.query(select)).rejects.toMatchObject({ errno: 1317, outcome: 'not-done' })
    expect(cluster.log.count({ sql: select })).toBe(1)
  })
})

describe('a statement that does not fit into a packet of the server', () => {
  const write = 'INSERT INTO t VALUES (?, 1)'
  const large = async () => {
    const harness = await galeraHarness()
    for (const node of harness.cluster.nodes) node.set({ max_allowed_packet: 4_096 })
    return harness
  }

  it.each([
    ['a text', 'x'.repeat(5_000)],
    ['a text of which every character is escaped', "'".repeat(2_100)],
    ['a text of characters of three bytes', '\u20ac'.repeat(1_400)],
    ['bytes', Buffer.alloc(5_000)],
    ['a nested value', ['x'.repeat(2_500), 'y'.repeat(2_500)]],
  ])('is refused before it is sent, and nobody else is hurt: %s', async (_, value) => {
    const { db, cluster } = await large()
    const other = db.query('SELECT SLEEP(0.05)')
    const ended = expect(db.query(write, [value])).rejects.toMatchObject({
      errno: 1153,
      outcome: 'not-done',
      message: expect.stringMatching(/max_allowed_packet of the server is 4096/),
    })
    await Promise.all([ended, other])
    expect(cluster.log.count({ sql: /^INSERT INTO t/ })).toBe(0)
  })

  it('does not run the callback of a transaction again', async () => {
    const { db } = await large()
    let runs = 0
    const transaction = db.transaction(async (tx) => {
      runs += 1
      await tx.query(write, ['x'.repeat(5_000)])
    })
    await expect(transaction).rejects.toMatchObject({ errno: 1153, outcome: 'not-done' })
    expect(runs).toBe(1)
  })

  it('is no batch whose rows fit one by one: it is sent in parts', async () => {
    const { db, cluster } = await large()
    const rows = Array.from({ length: 60 }, (_, i) => [`${i}${'k'.repeat(70)}`])
    expect(await db.batch(write, rows)).toMatchObject({ affectedRows: 60 })
    expect(Object.keys(await rowsOf(cluster))).toHaveLength(60)
  })

  it.each([
    ['texts', Array.from({ length: 12 }, () => 'x'.repeat(80))],
    ['numbers', Array.from({ length: 900 }, (_, i) => i % 10)],
    ['bytes', Array.from({ length: 12 }, () => Buffer.alloc(200, 'x'))],
  ])('is only one that is too large when it is counted: %s', async (_, values) => {
    const { db, cluster } = await large()
    const listed = { sql: /^SELECT v FROM t WHERE k IN/ }
    cluster.script({ when: listed, do: 'answer', with: { rows: [{ v: 1 }] } })
    await db.query('SELECT v FROM t WHERE k IN (?)', [values])
    expect(cluster.log.count(listed)).toBe(1)
  })

  it('is answered with 1153 by a server that has lowered its limit: not done, and not sent again', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: insert }, do: 'refuse', errno: 1153 })
    await expect(db.query(insert)).rejects.toMatchObject({ errno: 1153, outcome: 'not-done' })
    expect(cluster.log.count({ sql: insert })).toBe(1)
  })
})

describe('a statement that concerns one connection', () => {
  it('is refused by every call of the client that may take another one, and nothing is sent', async () => {
    const { db, cluster } = await galeraHarness()
    const calls = [
      db.query('START TRANSACTION'),
      db.execute('SET @a = 1'),
      db.stream("SELECT GET_LOCK('a', 0)").next(),
    ]
    for (const call of calls) expect(await describeEnd(call)).toBe('config-invalid not-done HY000')
    expect(cluster.log.count({ sql: /START TRANSACTION|@a =|GET_LOCK/ })).toBe(0)
  })
})

describe('a read with two columns of one name', () => {
  it('is not done, and says what helps', async () => {
    const { db, cluster } = await galeraHarness()
    const join = 'SELECT a.v, b.v FROM t a, t b'
    cluster.script({ when: { sql: join }, do: 'answer', with: { columns: ['v', 'v'], rows: [{ v: 1 }] } })
    await expect(db.query(join)).rejects.toMatchObject({
      outcome: 'not-done',
      message: expect.stringMatching(/two columns have the same name 'v'; give one of them an alias with AS/),
    })
  })
})

describe('a statement of several steps', () => {
  it.each([
    ["LOAD DATA LOCAL INFILE 'rows' INTO TABLE t", 4166, 'not-done'],
    ["LOAD DATA INFILE 'rows' INTO TABLE t", 1045, 'not-done'],
    ["LOAD DATA INFILE 'rows' INTO TABLE t", 1366, 'unknown'],
    ['CALL book()', 4166, 'unknown'],
  ] as const)('%s that is refused with %i is %s', async (sql, errno, outcome) => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql }, do: 'refuse', errno })
    await expect(db.query(sql)).rejects.toMatchObject({ errno, outcome })
    expect(cluster.log.count({ sql })).toBe(1)
  })
})
