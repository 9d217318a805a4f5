import { lengthOf } from '../../../src/zookeeper/wire/frames.ts'
import { JuteWriter } from '../../../src/zookeeper/wire/records.ts'
import { codeOf } from './comparable-stat.ts'
import type { Scenario } from './harness.ts'

/** What a server makes of requests that no client of ours sends. */
export const unusualRequests: readonly Scenario[] = [
  {
    name: 'a ping',
    act: async (stage) => {
      const { client } = await stage.actor()
      const reply = await client.ping()
      return [codeOf(reply), reply?.xid, reply?.body.left]
    },
    expected: [0, -2, 0],
  },
  {
    name: 'how transactions are counted: each write, whether or not it is refused, and each session',
    act: async (stage) => {
      const one = await stage.opened()
      const first = (await one.read('exists', stage.place))?.zxid ?? 0n
      const refused = (await one.create(stage.place))?.zxid ?? 0n
      const done = (await one.set(stage.place, 'x'))?.zxid ?? 0n
      await stage.actor()
      const read = (await one.read('exists', stage.path('a')))?.zxid ?? 0n
      const pinged = (await one.ping())?.zxid ?? 0n
      const login = (await one.auth('digest', 'a:b'))?.zxid
      return [...[refused, done, read, pinged].map((zxid) => Number(zxid - first)), login]
    },
    expected: [1, 2, 3, 3, 0n],
  },
  {
    name: 'a request that the server does not know',
    act: async (stage) => {
      const { client } = await stage.actor()
      const codes = [codeOf(await client.ask(77))]
      await stage.heardBy(client)
      return [...codes, codeOf(await client.ping())]
    },
    expected: [-6, 'end'],
  },
  {
    name: 'a write that breaks off',
    act: async (stage) => {
      const { client } = await stage.actor()
      const codes = [codeOf(await client.ask('create', new JuteWriter().int(7)))]
      return [...codes, codeOf(await client.ping())]
    },
    expected: [-5, 0],
  },
  {
    name: 'a read that breaks off',
    act: async (stage) => {
      const { client } = await stage.actor()
      const codes = [codeOf(await client.ask('get-data', new JuteWriter().int(7)))]
      return [...codes, codeOf(await client.ping())]
    },
    expected: [-5, 0],
  },
  ...[-1, 0x7fff_ffff].map(
    (length): Scenario => ({
      name: `a frame of ${length} bytes`,
      act: async (stage) => {
        const { client } = await stage.actor()
        client.send(lengthOf(length))
        return codeOf(await client.ping())
      },
      expected: 'end',
    }),
  ),
]
