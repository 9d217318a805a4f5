import { type Lab, openLab } from '@ha/bootstrap'
import { systemClock } from '@ha/core'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import type { ZookeeperConnection } from '../../src/connection/connection.ts'
import { zookeeperDriver } from '../../src/connection/driver.ts'
import { type ConnectionLimits, defaultLimits } from '../../src/connection/in-flight.ts'
import type { Acl } from '../../src/node.ts'
import { multi } from '../../src/protocol/multi.ts'
import type { ConnectRequest } from '../../src/protocol/packets.ts'
import {
  type AuthInfo,
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

let lab: Lab
let connection: ZookeeperConnection
let folder = ''
let folders = 0
const opened: ZookeeperConnection[] = []

beforeAll(async () => {
  lab = openLab(inject('lab'))
  connection = await open()
})
afterEach(() => {
  for (const each of opened.splice(1)) each.destroy()
})
afterAll(() => {
  for (const each of opened) each.destroy()
})

interface OpenOptions {
  readonly at?: number
  readonly request?: Partial<ConnectRequest>
  readonly auth?: readonly AuthInfo[]
  readonly onExpired?: (sessionId: bigint) => void
  readonly limits?: ConnectionLimits
}

async function open({
  at = 0,
  request,
  auth,
  onExpired,
  limits = defaultLimits,
}: OpenOptions = {}): Promise<ZookeeperConnection> {
  const driver = zookeeperDriver({
    clock: systemClock,
    sessions: {
      connectRequest: () => ({ ...newSession, ...request }),
      sessionGranted: () => undefined,
      sessionExpired: onExpired ?? (() => undefined),
    },
    auth: auth ?? [],
    limits,
  })
  const each = await driver.open(lab.nodes[at]!.endpoint, never)
  opened.push(each)
  return each
}

const everything = ['read', 'write', 'create', 'delete', 'admin'] as const
const anyone: readonly Acl[] = [{ permissions: everything, scheme: 'world', id: 'anyone' }]

function node(path: string, more: Partial<NewNode> = {}): NewNode {
  return { path, data: 'x', acl: anyone, kind: 'persistent', sequential: false, ttlMs: undefined, ...more }
}

// A separate folder for each test.
async function inFolder(): Promise<string> {
  folder = `/f${folders++}`
  await connection.send(create(node(folder, { data: '' })))
  return folder
}

describe('on real servers', () => {
  test('a node is made, read, changed and deleted', async () => {
    const path = `${await inFolder()}/a`
    const made = await connection.send(create(node(path, { data: 'ä' })))
    const read = await connection.send(getData(path, false))
    expect([made.path, read.data.toString(), read.stat]).toEqual([path, 'ä', made.stat])
    expect(Math.abs(Date.now() - made.stat.ctimeMs)).toBeLessThan(60_000)
    const changed = await connection.send(setData(path, Buffer.alloc(0), 0))
    expect(changed).toMatchObject({ version: 1, dataLength: 0, czxid: made.stat.czxid })
    expect(connection.lastZxid).toBe(changed.mzxid)
    await expect(connection.send(remove(path, 0))).rejects.toMatchObject({ symbol: 'BADVERSION' })
    await connection.send(remove(path, 1))
    await expect(connection.send(exists(path, false))).rejects.toMatchObject({ symbol: 'NONODE', path })
  })

  test('there are nodes of each kind', async () => {
    const parent = await inFolder()
    const kinds = [
      node(`${parent}/e`, { kind: 'ephemeral' }),
      node(`${parent}/s-`, { sequential: true }),
      node(`${parent}/es-`, { kind: 'ephemeral', sequential: true }),
      node(`${parent}/c`, { kind: 'container' }),
      node(`${parent}/t`, { ttlMs: 60_000 }),
      node(`${parent}/ts-`, { ttlMs: 60_000, sequential: true }),
    ]
    const made = await Promise.all(kinds.map((each) => connection.send(create(each))))
    const { sessionId } = connection.grant
    expect(made.map(({ stat }) => stat.ephemeralOwner === sessionId)).toEqual([
      true,
      false,
      true,
      false,
      false,
      false,
    ])
    const { names, stat } = await connection.send(getChildren(parent, false))
    const sorted = made.map(({ path }) => path.slice(parent.length + 1)).sort()
    expect([[...names].sort(), stat.numChildren]).toEqual([sorted, 6])
    expect(sorted.filter((name) => /^(s|es|ts)-\d{10}$/.test(name))).toHaveLength(3)
  })

  test('all changes are made, or none, and the one that was refused is named', async () => {
    const path = `${await inFolder()}/a`
    const set = { kind: 'set', path, data: 'two', version: 0 } as const
    const changes = [
      { kind: 'create', path, acl: anyone, ephemeral: true },
      { kind: 'check', path, version: 0 },
      set,
    ] as const
    const done = await connection.send(multi(changes))
    expect(done).toMatchObject([
      { kind: 'create', path },
      { kind: 'check' },
      { kind: 'set', stat: { version: 1 } },
    ])
    const refused = connection.send(
      multi([{ kind: 'check', path, version: 1 }, set, { kind: 'delete', path }]),
    )
    await expect(refused).rejects.toMatchObject({ symbol: 'BADVERSION', index: 1, path })
    expect(await connection.send(multi([{ kind: 'delete', path, version: 1 }]))).toEqual([{ kind: 'delete' }])
  })

  test('watches of each kind are told of', async () => {
    const parent = await inFolder()
    const told: string[] = []
    const off = connection.onEvent(({ kind, path }) => told.push(`${kind} ${path.slice(parent.length)}`))
    await connection.send(exists(`${parent}/a`, true)).catch(() => undefined)
    await connection.send(getChildren(parent, true))
    await connection.send(create(node(`${parent}/a`)))
    await connection.send(getData(`${parent}/a`, true))
    await connection.send(setData(`${parent}/a`, ''))
    await connection.send(setData(`${parent}/a`, ''))
    await connection.send(addWatch(parent, 'recursive'))
    await connection.send(create(node(`${parent}/a/b`)))
    await connection.send(remove(`${parent}/a/b`))
    await connection.send(removeWatches(parent, 'any'))
    await connection.send(setData(`${parent}/a`, ''))
    await expect(connection.send(removeWatches(parent, 'any'))).rejects.toMatchObject({ symbol: 'NOWATCHER' })
    off()
    expect([...told.slice(0, 2)].sort()).toEqual(['children ', 'created /a'])
    expect(told.slice(2)).toEqual(['changed /a', 'created /a/b', 'deleted /a/b'])
  })

  test('permissions are given and hold', async () => {
    const path = `${await inFolder()}/a`
    await connection.send(create(node(path)))
    const reader: readonly Acl[] = [{ permissions: ['read', 'admin'], scheme: 'world', id: 'anyone' }]
    expect(await connection.send(setAcl(path, reader, 0))).toMatchObject({ aversion: 1 })
    expect((await connection.send(getAcl(path))).acl).toEqual(reader)
    await expect(connection.send(setData(path, ''))).rejects.toMatchObject({ symbol: 'NOAUTH' })
  })

  test('a login opens what is closed to others', async () => {
    const path = `${await inFolder()}/a`
    const digest = { scheme: 'digest', value: Buffer.from('user:secret') }
    const known = await open({ auth: [digest] })
    const mine: readonly Acl[] = [{ permissions: everything, scheme: 'auth', id: '' }]
    await known.send(create(node(path, { acl: mine })))
    expect((await known.send(getData(path, false))).data.toString()).toBe('x')
    await expect(connection.send(getData(path, false))).rejects.toMatchObject({ symbol: 'NOAUTH' })
  })

  test('a login of a scheme that the server does not have fails the dial for good', async () => {
    const refused = open({ auth: [{ scheme: 'nonsense', value: Buffer.from('secret') }] })
    await expect(refused).rejects.toMatchObject({ code: 'auth-failed', serverCode: -115, retryable: false })
  })

  test('a session moves to another server with its nodes, and hears what happened in between', async () => {
    const parent = await inFolder()
    const first = await open({ at: 0 })
    await first.send(create(node(`${parent}/e`, { kind: 'ephemeral' })))
    const { sessionId, password } = first.grant
    const { lastZxid } = first
    first.destroy()
    await connection.send(setData(`${parent}/e`, 'meanwhile'))
    const second = await open({ at: 1, request: { sessionId, password, lastZxid } })
    const told: unknown[] = []
    second.onEvent((event) => told.push(event))
    await second.send(sync('/'))
    const nothing = { exists: [], children: [], persistent: [] }
    await second.send(
      setWatches({ ...nothing, relativeZxid: lastZxid, data: [`${parent}/e`], recursive: [] }),
    )
    await second.send(setWatches({ ...nothing, relativeZxid: lastZxid, data: [], recursive: [parent] }))
    await second.send(setData(`${parent}/e`, 'again'))
    expect(second.grant).toMatchObject({ resumed: true, sessionId, timeoutMs: first.grant.timeoutMs })
    expect(told).toEqual([
      { kind: 'changed', path: `${parent}/e` },
      { kind: 'changed', path: `${parent}/e` },
    ])
    expect((await second.send(exists(`${parent}/e`, false))).ephemeralOwner).toBe(sessionId)
  })

  test('a session of another password is over for us, and goes on for its owner', async () => {
    const expired: bigint[] = []
    const { sessionId } = connection.grant
    const request = { sessionId, password: Buffer.alloc(16, 1) }
    const stolen = open({ at: 1, request, onExpired: (id) => expired.push(id) })
    await expect(stolen).rejects.toMatchObject({ code: 'session-lost', retryable: true })
    await expect(connection.send(sync('/'))).resolves.toBeUndefined()
    expect(expired).toEqual([sessionId])
  })

  test('a session that is ended takes its nodes with it at once', async () => {
    const parent = await inFolder()
    const other = await open({ at: 2 })
    await other.send(create(node(`${parent}/e`, { kind: 'ephemeral' })))
    await other.closeSession()
    await connection.send(sync(parent))
    expect((await connection.send(getChildren(parent, false))).names).toEqual([])
  })

  test('the largest request that is sent is taken, and the server would end the connection over a larger one', async () => {
    const path = `${await inFolder()}/large`
    const sized = (bytes: number) => create(node(path, { data: Buffer.alloc(bytes) }))
    // With its number and its kind before it.
    const besides = sized(0).encode().length + 8
    const { maxRequestBytes } = defaultLimits
    const generous = await open({ limits: { ...defaultLimits, maxRequestBytes: 2 * maxRequestBytes } })

    await expect(connection.send(sized(maxRequestBytes - besides))).resolves.toMatchObject({ path })
    await expect(connection.send(sized(maxRequestBytes - besides + 1))).rejects.toMatchObject({
      name: 'TooLargeError',
    })
    await expect(generous.send(sized(maxRequestBytes - besides + 1))).rejects.toMatchObject({ kind: 'lost' })
  })

  test('a living server answers a probe of its endpoint', async () => {
    const driver = zookeeperDriver({
      clock: systemClock,
      sessions: {
        connectRequest: () => newSession,
        sessionGranted: () => undefined,
        sessionExpired: () => undefined,
      },
    })
    await expect(driver.probeEndpoint(lab.nodes[0]!.endpoint, never)).resolves.toBe('unidentified')
  })
})
