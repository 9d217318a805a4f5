import { JuteWriter, writeAcl } from '../../../src/zookeeper/wire/records.ts'
import type { RawClient } from '../raw-client.ts'
import { codeOf } from './comparable-stat.ts'
import type { Harness, Scenario } from './harness.ts'

const everybody = [{ permissions: 31, scheme: 'world', id: 'anyone' }]

/** What a client hears of nodes that it watches. */
export const watches: readonly Scenario[] = [
  {
    name: 'news of data, once, before the answer to what caused it',
    act: async (stage) => {
      const one = await stage.opened()
      await one.read('get-data', stage.place, true)
      await one.set(stage.place, 'x')
      await one.set(stage.place, 'y')
      return (await stage.heardBy(one)).slice(-3)
    },
    expected: ['changed ', 'reply 3', 'reply 4'],
  },
  {
    name: 'news of a node that is made, and of one that goes, told once to who watches it twice',
    act: async (stage) => {
      const one = await stage.opened()
      const path = stage.path('a')
      await one.read('exists', path, true)
      await one.create(path)
      await one.read('get-data', path, true)
      await one.read('get-children2', path, true)
      await one.delete(path)
      return stage.newsOf(one)
    },
    expected: ['created /a', 'deleted /a'],
  },
  {
    name: 'news of children, once',
    act: async (stage) => {
      const one = await stage.opened()
      await one.read('get-children2', stage.place, true)
      await one.create(stage.path('a'))
      await one.create(stage.path('b'))
      await one.read('get-children', stage.place, true)
      await one.set(stage.path('a'), 'x')
      await one.delete(stage.path('a'))
      return stage.newsOf(one)
    },
    expected: ['children ', 'children '],
  },
  {
    name: 'no news for who watched a node in vain',
    act: async (stage) => {
      const one = await stage.opened()
      await one.read('get-data', stage.path('a'), true)
      await one.read('get-children2', stage.path('a'), true)
      await one.create(stage.path('a'))
      return stage.newsOf(one)
    },
    expected: [],
  },
  {
    name: 'news for a client of another server',
    act: async (stage) => {
      const [one, two] = [await stage.opened(1), (await stage.actor(3)).client]
      await two.ask('sync', new JuteWriter().text(stage.place))
      await two.read('get-data', stage.place, true)
      await one.set(stage.place, 'x')
      return stage.newsOf(two)
    },
    expected: ['changed '],
  },
  {
    name: 'news for who watches for good',
    act: async (stage) => {
      const one = await stage.opened()
      const added = codeOf(await addWatch(stage, one, 0))
      await change(stage, one)
      return [added, await stage.newsOf(one)]
    },
    expected: [0, ['changed ', 'children ', 'children ']],
  },
  {
    name: 'news for who watches for good with all that is below',
    act: async (stage) => {
      const one = await stage.opened()
      const added = codeOf(await addWatch(stage, one, 1))
      await change(stage, one)
      return [added, await stage.newsOf(one)]
    },
    expected: [0, ['changed ', 'created /a', 'created /a/b', 'changed /a/b', 'deleted /a/b', 'deleted /a']],
  },
  {
    name: 'news for who watches for good and then once, which ends the first, and no news of an ACL',
    act: async (stage) => {
      const one = await stage.opened()
      await addWatch(stage, one, 1)
      await one.read('get-data', stage.place, true)
      await one.ask('set-acl', writeAcl(new JuteWriter().text(stage.place), everybody).int(-1))
      await one.set(stage.place, 'x')
      await one.set(stage.place, 'y')
      return stage.newsOf(one)
    },
    expected: ['changed '],
  },
  {
    name: 'watches for good that are set again, without what was missed, and removed',
    act: async (stage) => {
      const one = await stage.opened()
      await one.create(stage.path('a'))
      const again = (await stage.actor()).client
      const writer = new JuteWriter().long(0n)
      for (const paths of [[], [], [], [stage.place], [stage.path('a')]])
        writer.list(paths, (path) => writer.text(path))
      const codes = [codeOf(await again.ask('set-watches2', writer, -8))]
      await one.create(stage.path('b'))
      await one.create(stage.path('a/c'))
      const before = await stage.newsOf(again)
      for (const path of [stage.place, stage.path('a')])
        codes.push(codeOf(await again.ask('remove-watches', new JuteWriter().text(path).int(3))))
      await one.set(stage.path('a'), 'x')
      await one.delete(stage.path('b'))
      return [codes, before, (await stage.newsOf(again)).slice(before.length)]
    },
    expected: [[0, 0, 0], ['children ', 'created /a/c'], []],
  },
  {
    name: 'watches that are removed',
    act: async (stage) => {
      const one = await stage.opened()
      await one.read('get-data', stage.place, true)
      const body = (type: number): JuteWriter => new JuteWriter().text(stage.place).int(type)
      const codes = [
        codeOf(await one.ask('check-watches', body(2))),
        codeOf(await one.ask('check-watches', body(1))),
        codeOf(await one.ask('remove-watches', body(3))),
        codeOf(await one.ask('remove-watches', body(3))),
      ]
      await one.set(stage.place, 'x')
      return [codes, await stage.newsOf(one)]
    },
    expected: [[0, -121, 0, -121], []],
  },
  {
    name: 'watches that are set again, and what was missed',
    act: async (stage) => {
      const one = await stage.opened()
      for (const name of ['a', 'b', 'c', 'd']) await one.create(stage.path(name))
      const before = (await one.read('exists', stage.place))?.zxid ?? 0n
      await one.set(stage.path('a'), 'x')
      await one.delete(stage.path('b'))
      await one.create(stage.path('c/new'))
      await one.create(stage.path('made'))
      const again = (await stage.actor()).client
      const reply = await again.ask('set-watches', setWatches(stage, before), -8)
      const told = await stage.newsOf(again)
      await one.set(stage.path('d'), 'x')
      await one.create(stage.path('missing'))
      return [codeOf(reply), reply?.xid, [...told].sort(), (await stage.newsOf(again)).slice(told.length)]
    },
    expected: [
      0,
      -8,
      ['changed /a', 'children /c', 'created /made', 'deleted /b', 'deleted /b'],
      ['changed /d', 'created /missing'],
    ],
  },
]

function addWatch(stage: Harness, client: RawClient, mode: number): ReturnType<RawClient['ask']> {
  return client.ask('add-watch', new JuteWriter().text(stage.place).int(mode))
}

async function change(stage: Harness, client: RawClient): Promise<void> {
  await client.set(stage.place, 'x')
  await client.create(stage.path('a'))
  await client.create(stage.path('a/b'))
  await client.set(stage.path('a/b'), 'x')
  await client.delete(stage.path('a/b'))
  await client.delete(stage.path('a'))
}

function setWatches(stage: Harness, relativeZxid: bigint): JuteWriter {
  const writer = new JuteWriter().long(relativeZxid)
  const list = (names: readonly string[]): JuteWriter =>
    writer.list(names, (name) => writer.text(stage.path(name)))
  list(['a', 'b', 'd'])
  list(['made', 'missing'])
  return list(['b', 'c', 'd'])
}
