import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { galeraHarness, type RecordedEvent } from './harness.ts'

const slow = 'SELECT v FROM t'
const kills = { sql: /^KILL QUERY / }

function warnings(events: readonly RecordedEvent[]): readonly unknown[] {
  return events.filter(({ name }) => name === 'warning').map(({ event }) => event['text'])
}

// The fake has no process list: a rule answers for it, with the port of the client that asks or with another one.
async function heldStatement(port: (ports: readonly number[]) => number) {
  const harness = await galeraHarness()
  const { db, cluster } = harness
  cluster.script({ when: { sql: slow }, do: 'hold', until: 'never' })
  await db.ready()
  const calling = db.query(slow, [], { timeoutMs: 300 }).catch((error: unknown) => error)
  await cluster.log.until({ sql: slow })
  const [{ client = 0 } = {}] = cluster.log.entries({ sql: slow }) as readonly { client?: number }[]
  cluster.script({
    when: { sql: /PROCESSLIST/ },
    do: 'answer',
    with: { rows: [{ host: `127.0.0.1:${port([client])}` }] },
  })
  return { ...harness, calling }
}

describe('a statement whose time is up', () => {
  it('is no business of a connection that the server lists with another client', async () => {
    const { cluster, events, calling } = await heldStatement(() => 1)
    expect(await calling).toMatchObject({ code: 'timed-out' })
    await cluster.log.until({ sql: /PROCESSLIST/ })
    await sleep(100)
    expect(cluster.log.count(kills)).toBe(0)
    expect(warnings(events)).toEqual([expect.stringMatching(/may still run on .*another client port/)])
  })

  it('is looked for each time, also after the connection for the one before is closed', async () => {
    const { db, cluster, calling } = await heldStatement(() => 1)
    await calling
    await cluster.log.until({ sql: /PROCESSLIST/ })
    await sleep(100)
    await db.query(slow, [], { timeoutMs: 300 }).catch(() => undefined)
    await expect.poll(() => cluster.log.count({ sql: /PROCESSLIST/ })).toBe(2)
  })

  it('is left alone by a server that another machine stands for now', async () => {
    const { cluster, events, calling } = await heldStatement(() => 1)
    for (const node of cluster.nodes) node.set({ server_id: 4711 })
    expect(await calling).toMatchObject({ code: 'timed-out' })
    await sleep(200)
    expect(cluster.log.count({ sql: /PROCESSLIST/ })).toBe(0)
    expect(warnings(events)).toEqual([expect.stringMatching(/may still run on .*another server answers/)])
  })

  it('is not looked for at a server that does not tell its identity, and that is said', async () => {
    const { db, cluster, events } = await galeraHarness()
    cluster.script(
      { when: { sql: /@@max_allowed_packet/ }, do: 'refuse', errno: 1064 },
      { when: { sql: slow }, do: 'hold', until: 'never' },
    )
    await db.ready()
    await expect(db.query(slow, [], { timeoutMs: 300 })).rejects.toMatchObject({ code: 'timed-out' })
    await expect
      .poll(() => warnings(events))
      .toEqual([expect.stringMatching(/may still run on .*does not tell its identity/)])
    expect(cluster.log.count({ sql: /PROCESSLIST/ })).toBe(0)
  })

  it('is never ended at the server while it commits', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: 'COMMIT' }, do: 'hold', until: 'never' })
    await db.ready()
    const ended = db.transaction((tx) => tx.query("INSERT INTO t VALUES ('a', 1)"), { timeoutMs: 300 })
    await expect(ended).rejects.toMatchObject({ outcome: 'unknown' })
    await sleep(200)
    expect(cluster.log.count({ sql: /PROCESSLIST/ })).toBe(0)
  })
})
