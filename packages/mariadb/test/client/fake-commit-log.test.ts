import { FakeClock } from '@ha/core/testing'
import { type FakeCluster, startFakeServer } from '@ha/testing/mariadb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CommitLogTable } from '../../src/commit-log.ts'
import type { Statement } from '../../src/driver/statement.ts'
import { arrive, type DriverClient, driverClient } from './driver-client.ts'

const table = new CommitLogTable('ha_ledger')
let clock: FakeClock
let cluster: FakeCluster
let one: DriverClient
let two: DriverClient

beforeEach(async () => {
  clock = new FakeClock()
  cluster = await startFakeServer({ clock, listens: false })
  one = await driverClient(cluster.node(1))
  two = await driverClient(cluster.node(1))
  await say(one, table.create)
})
afterEach(() => cluster.close())

function say(who: DriverClient, { sql, args }: Statement): Promise<unknown> {
  return who.run(sql, args as readonly unknown[] | undefined)
}

describe('the commit log of the client on a fake server', () => {
  it('is made once, and found', async () => {
    expect([await say(two, table.create), await say(two, table.probe)]).toEqual([0, []])
  })

  it('takes a token once', async () => {
    expect([await say(one, table.write('a', 'marker')), await say(two, table.write('a', 'fence'))]).toEqual([
      1, 1062,
    ])
  })

  it('keeps whoever looks waiting while a mark is open', async () => {
    await one.run('BEGIN')
    await say(one, table.write('a', 'marker'))
    const look = say(two, table.lock('a'))
    await arrive()
    await one.run('COMMIT')
    expect(await look).toEqual([{ kind: 'marker' }])
  })

  it('shows nothing of a mark that was rolled back meanwhile', async () => {
    await one.run('BEGIN')
    await say(one, table.write('a', 'marker'))
    const look = say(two, table.lock('a'))
    await arrive()
    await one.run('ROLLBACK')
    expect(await look).toEqual([])
  })

  it('knows its rows that are old, and gives them up', async () => {
    await say(one, table.write('a', 'marker'))
    await clock.advance(60_001)
    await say(one, table.write('b', 'fence'))
    expect(await say(one, table.expired(60_000))).toEqual([{ token: 'a' }])
    expect(await say(one, table.remove(['a', 'nobody']))).toBe(1)
    expect(await cluster.query('SELECT token FROM ha_ledger')).toEqual([{ token: 'b' }])
  })
})
