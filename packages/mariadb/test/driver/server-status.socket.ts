import { type FakeCluster, startFakeGalera, startFakeReplication, startFakeServer } from '@ha/testing/mariadb'
import { afterEach, describe, expect, test } from 'vitest'
import { mariadbDriver } from '../../src/driver/driver.ts'
import type { MariadbStatus } from '../../src/driver/server-status.ts'
import { driverOptions } from './driver-options.ts'

const never = new AbortController().signal
let cluster: FakeCluster

afterEach(() => cluster.close())

async function reader(number: number): Promise<() => Promise<MariadbStatus>> {
  const { endpoint } = cluster.node(number)
  const driver = mariadbDriver(driverOptions(endpoint))
  const connection = await driver.open(endpoint, never)
  return () => driver.read(connection, never)
}

describe('a reading', () => {
  test('of a Galera node follows its state', async () => {
    cluster = await startFakeGalera()
    const read = await reader(2)
    expect((await read()).galera).toMatchObject({
      ready: true,
      status: 'Primary',
      localState: 4,
      clusterSize: 3,
    })
    cluster.node(2).isolate()
    await expect
      .poll(async () => (await read()).galera)
      .toMatchObject({ ready: false, status: 'non-Primary' })
  })

  test('of a server without Galera has none', async () => {
    cluster = await startFakeServer()
    expect(await (await reader(1))()).toMatchObject({
      galera: undefined,
      replica: undefined,
      readOnly: false,
    })
  })

  test('of a replica says that it follows', async () => {
    cluster = await startFakeReplication()
    expect(await (await reader(2))()).toMatchObject({
      readOnly: true,
      replica: { kind: 'follows', state: 'running' },
    })
  })

  test('does not need the privilege to know of replication', async () => {
    cluster = await startFakeServer()
    cluster.script({ when: { sql: 'SHOW ALL SLAVES STATUS' }, do: 'refuse', errno: 1227, sqlState: '42000' })
    expect(await (await reader(1))()).toMatchObject({ serverId: 1, replica: { kind: 'not-allowed' } })
  })

  test.each(['SHOW REPLICA STATUS', 'SHOW SLAVE STATUS'])(
    'of a server of MySQL knows its replication by %s',
    async (known) => {
      cluster = await startFakeReplication()
      const refused = { do: 'refuse', errno: 1064, sqlState: '42000' } as const
      for (const sql of ['SHOW ALL SLAVES STATUS', 'SHOW REPLICA STATUS', 'SHOW SLAVE STATUS'])
        if (sql !== known) cluster.script({ when: { sql }, ...refused })
      const read = await reader(2)
      expect((await read()).replica).toMatchObject({ kind: 'follows', state: 'running' })
      expect((await read()).replica).toMatchObject({ kind: 'follows', state: 'running' })
      expect(cluster.log.count({ sql: 'SHOW ALL SLAVES STATUS' })).toBe(1)
    },
  )

  test('of a server that knows no statement of replicas has none', async () => {
    cluster = await startFakeServer()
    cluster.script({
      when: { sql: /^SHOW .*(?:SLAVE|REPLICA)/ },
      do: 'refuse',
      errno: 1064,
      sqlState: '42000',
    })
    expect(await (await reader(1))()).toMatchObject({ serverId: 1, replica: undefined })
  })

  test('fails with whatever else a server answers', async () => {
    cluster = await startFakeServer()
    cluster.script({ when: { sql: /^SHOW GLOBAL STATUS/ }, do: 'refuse', errno: 1053, sqlState: '08S01' })
    await expect((await reader(1))()).rejects.toMatchObject({ errno: 1053 })
  })
})
