import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inTime, type MemoryHarness, memoryHarness } from './memory-harness.ts'
import { bytesOf, stretchesOf } from './memory-sweep.ts'

// The number of bytes of a connection up to the answer to COMMIT, and a few more.
const stretches = stretchesOf({ client: 600, server: 240 })

let harness: MemoryHarness

beforeEach(async () => {
  harness = await memoryHarness()
  await harness.cluster.query(
    'CREATE TABLE ha_ledger (token VARCHAR(64) PRIMARY KEY, kind VARCHAR(6) NOT NULL)',
  )
})

afterEach(async () => {
  expect(harness.cluster.connections).toBe(0)
  await harness.cluster.close()
})

/**
 * Runs one protected transaction on a new connection that is cut at this byte; returns what is wrong with its end.
 */
async function wrongWhenCut(
  cut: Pick<(typeof stretches)[number], 'from' | 'how'>,
  byte: number,
): Promise<string[]> {
  const { cluster, clock, client } = harness
  const db = client({ hosts: cluster.addresses.slice(0, 1), pool: { minimumIdle: 0 }, commitLog: true })
  const { from, how } = cut
  // The first connection belongs to the monitor.
  const undo = cluster.script({ when: { from, byte, connection: cluster.accepted + 2 }, do: 'cut', how })
  const transfer = db.transaction(async (tx) => {
    await tx.query(`INSERT INTO t VALUES ('k${byte}', 0)`)
    await tx.query(`UPDATE t SET v = v + 1 WHERE k = 'k${byte}'`)
  })
  const end = await inTime(clock, transfer)
  undo()
  await inTime(clock, db.close())
  const rows = await cluster.query(`SELECT v FROM t WHERE k = 'k${byte}'`)
  const isRight = end.status === 'fulfilled' && rows[0]?.['v'] === 1
  return isRight ? [] : [`byte ${byte}: ${end.status}, ${JSON.stringify(rows)}`]
}

describe('a protected transaction is applied exactly once, and its caller sees no error', {
  timeout: 60_000,
}, () => {
  it.each(stretches)(
    'wherever its connection is cut ($how, $from, bytes $first to $last)',
    async (stretch) => {
      const wrong: string[] = []
      for (const byte of bytesOf(stretch)) wrong.push(...(await wrongWhenCut(stretch, byte)))
      expect(wrong).toEqual([])
      const marks = await harness.cluster.query("SELECT token FROM ha_ledger WHERE kind = 'marker'")
      expect(marks).toHaveLength(bytesOf(stretch).length)
    },
  )
})
