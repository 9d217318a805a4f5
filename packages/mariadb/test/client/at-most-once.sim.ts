import type { RequestPosition, Rule } from '@ha/testing/mariadb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Mariadb } from '../../src/client.ts'
import { inTime, type MemoryHarness, memoryHarness } from './memory-harness.ts'
import { bytesOf, type Stretch, stretchesOf } from './memory-sweep.ts'

// A long value, for many positions to cut at.
const value = '7'.padStart(500, '0')

const writes: Readonly<Record<string, (db: Mariadb, key: string) => Promise<unknown>>> = {
  query: (db, key) => db.query(`INSERT INTO w VALUES ('${key}', ${value})`),
  'query with values': (db, key) => db.query('INSERT INTO w VALUES (?, ?)', [key, value]),
  execute: (db, key) => db.execute('INSERT INTO w VALUES (?, ?)', [key, value]),
}

// The number of bytes of one command and its answer, and of a connection up to the answer of its first write.
const inCommand = stretchesOf({ client: 550, server: 11 })
const inConnection = stretchesOf({ client: 800, server: 200 }, ['reset'])

function casesOf(stretches: readonly Stretch[]): readonly (Stretch & { readonly name: string })[] {
  return Object.keys(writes).flatMap((name) => stretches.map((stretch) => ({ name, ...stretch })))
}

let harness: MemoryHarness
let endings: { readonly key: string; readonly outcome: string }[]

beforeEach(async () => {
  harness = await memoryHarness()
  // Without a key: only the client prevents a second row.
  await harness.cluster.query('CREATE TABLE w (k VARCHAR(80) NOT NULL, v INT NOT NULL)')
  endings = []
})

afterEach(async () => {
  expect(harness.cluster.connections).toBe(0)
  await harness.cluster.close()
})

/** Runs one write under the rule and records its end. */
async function writeUnder(rule: Rule, db: Mariadb, name: string): Promise<void> {
  const key = `k${endings.length}`
  const undo = harness.cluster.script(rule)
  const result = await inTime(harness.clock, writes[name]?.(db, key) ?? Promise.reject(new Error(name)))
  undo()
  harness.cluster.log.clear()
  endings.push({ key, outcome: result.status === 'fulfilled' ? 'acknowledged' : result.reason.outcome })
}

const possible = new Map([
  ['acknowledged', [1]],
  ['not-done', [0]],
  ['unknown', [0, 1]],
])

/** The writes for which the table contradicts what their callers received. */
async function lies(): Promise<readonly string[]> {
  const keys = (await harness.cluster.query('SELECT k FROM w')).map(({ k }) => String(k))
  return endings.flatMap(({ key, outcome }) => {
    const count = keys.filter((each) => each === key).length
    return possible.get(outcome)?.includes(count) ? [] : [`${key}: ${outcome}, and ${count} rows`]
  })
}

describe('a write that may not be repeated is done at most once', { timeout: 60_000 }, () => {
  it.each(casesOf(inCommand))(
    'wherever its command is cut: $name ($how, $from, bytes $first to $last)',
    async ({ name, how, from, first, last }) => {
      const db = harness.client({ pool: { minimumIdle: 0 } })
      const command = name === 'execute' ? 'execute' : 'query'
      for (const byte of bytesOf({ first, last })) {
        const at: RequestPosition = from === 'client' ? { requestByte: byte } : { answerByte: byte }
        await writeUnder({ when: { command, sql: /^INSERT/, times: 1 }, do: 'cut', how, at }, db, name)
      }
      await inTime(harness.clock, db.close())
      expect(await lies()).toEqual([])
      expect(endings.filter(({ outcome }) => outcome === 'unknown').length).toBeGreaterThan(0)
    },
  )

  it.each(casesOf(inConnection))(
    'wherever its connection is cut: $name ($how, $from, bytes $first to $last)',
    async ({ name, how, from, first, last }) => {
      const { cluster, clock, client } = harness
      for (const byte of bytesOf({ first, last })) {
        const db = client({ hosts: cluster.addresses.slice(0, 1), pool: { minimumIdle: 0 } })
        // The first connection belongs to the monitor.
        const connection = cluster.accepted + 2
        await writeUnder({ when: { from, byte, connection }, do: 'cut', how }, db, name)
        await inTime(clock, db.close())
      }
      expect(await lies()).toEqual([])
    },
  )
})
