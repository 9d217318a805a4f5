import { lengthOf } from '../../../src/zookeeper/wire/frames.ts'
import { JuteWriter } from '../../../src/zookeeper/wire/records.ts'
import { codeOf } from './comparable-stat.ts'
import type { Harness, Scenario } from './harness.ts'

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
      // Sessions of other tests may expire on a shared ensemble meanwhile, which only adds transactions.
      const runs = [
        await countTransactions(stage),
        await countTransactions(stage),
        await countTransactions(stage),
      ]
      const [fewest] = runs.sort((a, b) => sum(a.counts) - sum(b.counts))
      return fewest === undefined ? [] : [...fewest.counts, fewest.login]
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

async function countTransactions(
  harness: Harness,
): Promise<{ readonly counts: readonly number[]; readonly login: bigint | undefined }> {
  const one = await harness.opened()
  const first = (await one.read('exists', harness.place))?.zxid ?? 0n
  const refused = (await one.create(harness.place))?.zxid ?? 0n
  const done = (await one.set(harness.place, 'x'))?.zxid ?? 0n
  await harness.actor()
  const read = (await one.read('exists', harness.path('a')))?.zxid ?? 0n
  const pinged = (await one.ping())?.zxid ?? 0n
  const login = (await one.auth('digest', 'a:b'))?.zxid
  return { counts: [refused, done, read, pinged].map((zxid) => Number(zxid - first)), login }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
