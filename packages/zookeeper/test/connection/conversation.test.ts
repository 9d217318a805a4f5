import { FakeClock, settle } from '@ha/core/testing'
import { type FakeEnsemble, startFakeEnsemble } from '@ha/testing/zookeeper'
import { describe, expect, it } from 'vitest'
import type { ZookeeperConnection } from '../../src/connection/connection.ts'
import { zookeeperDriver } from '../../src/connection/driver.ts'
import type { SessionGrant } from '../../src/connection/handshake.ts'
import type { Acl, WatchEvent } from '../../src/node.ts'
import { multi } from '../../src/protocol/multi.ts'
import {
  addWatch,
  create,
  exists,
  getAcl,
  getChildren,
  getData,
  type NewNode,
  remove,
  removeWatches,
  setAcl,
  setData,
  setWatches,
  sync,
} from '../../src/protocol/requests.ts'
import { never, newSession } from './open-connection.ts'

const anyone: readonly Acl[] = [
  { permissions: ['read', 'write', 'create', 'delete', 'admin'], scheme: 'world', id: 'anyone' },
]

function node(path: string, more: Partial<NewNode> = {}): NewNode {
  return { path, data: 'x', acl: anyone, kind: 'persistent', sequential: false, ttlMs: undefined, ...more }
}

// The fake ensemble has its own implementation of the protocol: what both agree on was implemented twice.
async function meet() {
  const clock = new FakeClock()
  const ensemble = await startFakeEnsemble({ clock, listens: false })
  const granted: SessionGrant[] = []
  const open = async (from: SessionGrant | undefined = undefined, at = 1): Promise<ZookeeperConnection> => {
    const driver = zookeeperDriver({
      clock,
      sessions: {
        connectRequest: () => (from === undefined ? newSession : { ...newSession, ...from, lastZxid: 0n }),
        sessionGranted: (grant) => granted.push(grant),
        sessionExpired: () => undefined,
      },
      dial: (endpoint, signal) => ensemble.dial(endpoint, signal),
    })
    const opening = driver.open(ensemble.node(at).endpoint, never)
    opening.catch(() => undefined)
    await settle()
    return opening
  }
  return { clock, ensemble, granted, open }
}

describe('a conversation with servers that read the protocol by themselves', () => {
  it('makes, reads, changes and deletes', async () => {
    const { open } = await meet()
    const connection = await open()
    const made = await connection.send(create(node('/a', { data: 'one' })))
    const read = await connection.send(getData('/a', false))
    expect([made.path, read.data.toString(), read.stat]).toEqual(['/a', 'one', made.stat])
    const changed = await connection.send(setData('/a', '', 0))
    expect(changed).toMatchObject({ version: 1, dataLength: 0, czxid: made.stat.czxid })
    expect(connection.lastZxid).toBe(changed.mzxid)
    await expect(connection.send(remove('/a', 0))).rejects.toMatchObject({ code: -103 })
    await connection.send(remove('/a', 1))
    await expect(connection.send(exists('/a', false))).rejects.toMatchObject({ code: -101, path: '/a' })
  })

  it('makes nodes of each kind', async () => {
    const { open, ensemble } = await meet()
    const connection = await open()
    const kinds = [
      node('/e', { kind: 'ephemeral' }),
      node('/s-', { sequential: true }),
      node('/c', { kind: 'container' }),
      node('/t', { ttlMs: 5_000 }),
    ]
    const paths = []
    for (const each of kinds) paths.push((await connection.send(create(each))).path)
    expect(paths).toEqual(['/e', expect.stringMatching(/^\/s-\d{10}$/), '/c', '/t'])
    expect(ensemble.owners().get(connection.grant.sessionId)).toEqual(['/e'])
    const { names } = await connection.send(getChildren('/', false))
    expect(names).toEqual(expect.arrayContaining(['e', 'c', 't']))
  })

  it('does all changes or none', async () => {
    const { open } = await meet()
    const connection = await open()
    const set = { kind: 'set', path: '/a', data: 'two', version: 0 } as const
    const done = await connection.send(multi([{ kind: 'create', path: '/a', acl: anyone }, set]))
    expect(done).toMatchObject([
      { kind: 'create', path: '/a' },
      { kind: 'set', stat: { version: 1 } },
    ])
    const refused = connection.send(multi([{ kind: 'check', path: '/a', version: 1 }, set]))
    await expect(refused).rejects.toMatchObject({ code: -103, index: 1, path: '/a' })
  })

  it('gives and takes permissions', async () => {
    const { open } = await meet()
    const connection = await open()
    await connection.send(create(node('/a')))
    const reader: readonly Acl[] = [{ permissions: ['read', 'admin'], scheme: 'world', id: 'anyone' }]
    await connection.send(setAcl('/a', reader, 0))
    const { acl, stat } = await connection.send(getAcl('/a'))
    expect([acl, stat.aversion]).toEqual([reader, 1])
    await expect(connection.send(setData('/a', ''))).rejects.toMatchObject({ symbol: 'NOAUTH' })
  })

  it('watches, and hears of each change once', async () => {
    const { open } = await meet()
    const connection = await open()
    const told: WatchEvent[] = []
    connection.onEvent((event) => told.push(event))
    await connection.send(exists('/a', true)).catch(() => undefined)
    await connection.send(create(node('/a')))
    await connection.send(getData('/a', true))
    await connection.send(getChildren('/a', true))
    await connection.send(setData('/a', ''))
    await connection.send(create(node('/a/b')))
    await connection.send(setData('/a', ''))
    await connection.send(sync('/'))
    expect(told).toEqual([
      { kind: 'created', path: '/a' },
      { kind: 'changed', path: '/a' },
      { kind: 'children', path: '/a' },
    ])
  })

  it('watches all below a node until it is told not to', async () => {
    const { open } = await meet()
    const connection = await open()
    const told: string[] = []
    connection.onEvent(({ kind, path }) => told.push(`${kind} ${path}`))
    await connection.send(create(node('/a')))
    await connection.send(addWatch('/a', 'recursive'))
    await connection.send(create(node('/a/b')))
    await connection.send(setData('/a/b', ''))
    await connection.send(removeWatches('/a', 'any'))
    await connection.send(remove('/a/b'))
    expect(told).toEqual(['created /a/b', 'changed /a/b'])
    await expect(connection.send(removeWatches('/a', 'any'))).rejects.toMatchObject({ symbol: 'NOWATCHER' })
  })

  it('moves with its session to another server, and hears there what happened in between', async () => {
    const { open, granted } = await meet()
    const first = await open()
    await first.send(create(node('/a')))
    const { lastZxid } = first
    first.destroy()
    const other = await open(undefined, 2)
    await other.send(setData('/a', 'meanwhile'))
    const second = await open(granted[0], 3)
    const told: WatchEvent[] = []
    second.onEvent((event) => told.push(event))
    const lasting = { persistent: [], recursive: [] }
    await second.send(sync('/'))
    await second.send(
      setWatches({ relativeZxid: lastZxid, data: ['/a'], exists: [], children: [], ...lasting }),
    )
    expect(second.grant).toMatchObject({ resumed: true, sessionId: first.grant.sessionId })
    expect(told).toEqual([{ kind: 'changed', path: '/a' }])
  })

  it('ends the session and its nodes when it is told to', async () => {
    const { open, ensemble } = await meet()
    const connection = await open()
    await connection.send(create(node('/e', { kind: 'ephemeral' })))
    await connection.closeSession()
    expect(ownedNodes(ensemble)).toEqual([])
  })
})

function ownedNodes(ensemble: FakeEnsemble): readonly string[] {
  return [...ensemble.owners().values()].flat()
}
