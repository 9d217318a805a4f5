import { codeOf, statOf } from './comparable-stat.ts'
import type { Scenario } from './harness.ts'

const wrong = Buffer.alloc(16, 7)

/** What becomes of sessions. */
export const sessions: readonly Scenario[] = [
  {
    name: 'a session that is granted',
    act: async (stage) => {
      const { grant } = await stage.actor(1, { timeoutMs: 10_000 })
      const old = await stage.actor(1, { timeoutMs: 10_000, isNew: false })
      return [
        grant.timeoutMs,
        grant.sessionId !== 0n,
        grant.password.length,
        grant.isReadOnly,
        old.grant.isReadOnly,
        old.grant.sessionId !== grant.sessionId,
      ]
    },
    expected: [10_000, true, 16, false, undefined, true],
  },
  {
    name: 'a session that goes on, on another server, with its nodes',
    act: async (stage) => {
      const one = await stage.actor(1)
      await one.client.create(stage.place)
      await one.client.create(stage.path('e'), { flags: 1 })
      one.client.leave()
      const again = await stage.actor(2, one.grant)
      const isSame =
        again.grant.sessionId === one.grant.sessionId && again.grant.password.equals(one.grant.password)
      return [isSame, statOf(await again.client.read('exists', stage.path('e')))]
    },
    expected: [
      true,
      {
        version: 0,
        cversion: 0,
        aversion: 0,
        owner: 'mine',
        dataLength: 0,
        numChildren: 0,
        isOld: [true, true],
      },
    ],
  },
  {
    name: 'a session that is ended, with its nodes, and what comes back to it',
    act: async (stage) => {
      const one = await stage.actor(1)
      const other = await stage.opened(1)
      const made = codeOf(await one.client.create(stage.path('e'), { flags: 1 }))
      const child = codeOf(await one.client.create(stage.path('e/c')))
      const closed = codeOf(await one.client.close())
      // A real server may answer once more before it ends the connection.
      await stage.heardBy(one.client)
      const late = codeOf(await one.client.ping())
      const gone = codeOf(await other.read('exists', stage.path('e')))
      const { client, grant } = await stage.actor(1, one.grant)
      const after = codeOf(await client.ping())
      return [made, child, closed, late, gone, grant.timeoutMs, grant.sessionId, after]
    },
    expected: [0, -108, 0, 'end', -101, 0, 0n, 'end'],
  },
  {
    name: 'a session with another password',
    act: async (stage) => {
      const { grant } = await stage.actor(1)
      const { grant: refused } = await stage.actor(1, { ...grant, password: wrong })
      return [refused.timeoutMs, refused.sessionId, refused.password.equals(Buffer.alloc(16))]
    },
    expected: [0, 0n, true],
  },
  {
    name: 'the first connection of a session that has a second one on the same server',
    act: async (stage) => {
      const first = await stage.actor(1)
      await stage.actor(1, first.grant)
      await stage.heardBy(first.client)
      return [codeOf(await first.client.ping())]
    },
    expected: ['end'],
  },
  {
    name: 'the first connection of a session that has a second one on another server',
    act: async (stage) => {
      const first = await stage.actor(1)
      await first.client.create(stage.place)
      const second = await stage.actor(2, first.grant)
      const codes = [codeOf(await first.client.set(stage.place, 'x')), codeOf(await first.client.ping())]
      return [...codes, codeOf(await second.client.set(stage.place, 'x'))]
    },
    expected: ['end', 'end', 0],
  },
  {
    name: 'a session that comes back and asks for another time',
    act: async (stage) => {
      const one = await stage.actor(1, { timeoutMs: 10_000 })
      const again = await stage.actor(1, { ...one.grant, timeoutMs: 6_000 })
      return [again.grant.timeoutMs, again.grant.sessionId === one.grant.sessionId]
    },
    expected: [6_000, true],
  },
  {
    name: 'a client that has seen more than the servers',
    act: async (stage) => {
      const client = await stage.stranger(1)
      return await client.hello({ lastZxidSeen: 1n << 60n })
    },
    expected: undefined,
  },
]
