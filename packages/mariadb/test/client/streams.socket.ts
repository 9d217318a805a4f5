import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { galeraHarness } from './harness.ts'

const sql = 'SELECT v FROM t'
const rows = (count: number) => Array.from({ length: count }, (_, i) => ({ v: i }))

describe('a stream of rows', () => {
  it('is not cut while the consumer takes its time', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql }, do: 'answer', with: { rows: rows(200) } })
    await db.ready()
    let taken = 0
    for await (const _ of db.stream(sql, [], { timeoutMs: 200 })) {
      taken += 1
      if (taken % 50 === 0) await sleep(150)
    }
    expect(taken).toBe(200)
  })

  it('is cut when the server delivers nothing for the time limit', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql }, do: 'hold', until: 'never' })
    await db.ready()
    const startedAtMs = performance.now()
    await expect(db.stream(sql, [], { timeoutMs: 300 }).next()).rejects.toMatchObject({
      code: 'timed-out',
      outcome: 'not-done',
    })
    expect(performance.now() - startedAtMs).toBeLessThan(2_000)
  })

  it('whose server dies after the first row fails at once and is not begun again', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql }, do: 'answer', with: { rows: rows(20_000) } })
    const stream = db.stream(sql, [], { timeoutMs: 20_000 })
    await stream.next()
    const [{ node = 1 } = {}] = cluster.log.entries({ sql })
    const killedAtMs = performance.now()
    await cluster.node(node).kill()
    const rest = async (): Promise<void> => {
      for await (const _ of stream);
    }
    await expect(rest()).rejects.toMatchObject({ code: 'lost', outcome: 'not-done' })
    expect(performance.now() - killedAtMs).toBeLessThan(3_000)
    await sleep(300)
    expect(cluster.log.count({ sql })).toBe(1)
  })

  it('with two columns of one name is refused once, by that name, and costs no other server', async () => {
    const { db, cluster } = await galeraHarness()
    const join = 'SELECT a.v, b.v FROM t a, t b'
    cluster.script({ when: { sql: join }, do: 'answer', with: { columns: ['v', 'v'], rows: [{ v: 1 }] } })
    await expect(db.stream(join).next()).rejects.toMatchObject({
      outcome: 'not-done',
      message: expect.stringMatching(/two columns have the same name 'v'/),
    })
    expect(cluster.log.count({ sql: join })).toBe(1)
  })
})
