import { JuteWriter } from '../../../src/zookeeper/wire/records.ts'
import { childrenOf, codeOf, createdOf, dataOf, statOf } from './comparable-stat.ts'
import type { Scenario } from './harness.ts'

const fresh = {
  version: 0,
  cversion: 0,
  aversion: 0,
  owner: 'none',
  dataLength: 0,
  numChildren: 0,
  isOld: [true, true],
}

/** What becomes of nodes. */
export const nodes: readonly Scenario[] = [
  {
    name: 'a node that is made with data',
    act: async (stage) => {
      const one = await stage.opened()
      const path = stage.path('a')
      return [
        createdOf(stage.place, await one.create(path, { data: Buffer.from('x') })),
        dataOf(await one.read('get-data', path)),
        statOf(await one.read('exists', path)),
        createdOf(stage.place, await one.create(path)),
      ]
    },
    expected: [
      ['/a', { ...fresh, dataLength: 1 }],
      ['x', { ...fresh, dataLength: 1 }],
      { ...fresh, dataLength: 1 },
      -110,
    ],
  },
  {
    name: 'a node that is made in the old way, without data',
    act: async (stage) => {
      const one = await stage.opened()
      const path = stage.path('a')
      return [
        createdOf(stage.place, await one.create(path, { op: 'create', data: null })),
        dataOf(await one.read('get-data', path)),
      ]
    },
    expected: ['/a', [null, fresh]],
  },
  {
    name: 'paths that cannot be',
    act: async (stage) => {
      const one = await stage.opened()
      const paths = ['a', '', stage.path('a/'), stage.path('/a'), stage.path('.'), stage.path('a\u0001'), '/']
      const made = []
      for (const path of paths) made.push(codeOf(await one.create(path)))
      return [...made, codeOf(await one.read('get-data', 'a')), codeOf(await one.delete('/'))]
    },
    expected: [-8, -8, -101, -101, -8, -8, -110, -101, -8],
  },
  {
    name: 'what is not there',
    act: async (stage) => {
      const one = await stage.opened()
      const path = stage.path('a')
      return [
        codeOf(await one.create(`${path}/b`)),
        codeOf(await one.read('exists', path)),
        codeOf(await one.read('get-data', path)),
        codeOf(await one.read('get-children2', path)),
        codeOf(await one.set(path, 'x')),
        codeOf(await one.delete(path)),
      ]
    },
    expected: [-101, -101, -101, -101, -101, -101],
  },
  {
    name: 'versions',
    act: async (stage) => {
      const one = await stage.opened()
      const path = stage.path('a')
      await one.create(path)
      return [
        codeOf(await one.set(path, 'x', 1)),
        statOf(await one.set(path, 'xy', 0)),
        statOf(await one.set(path, 'xyz')),
        codeOf(await one.delete(path, 1)),
        codeOf(await one.delete(path, 2)),
      ]
    },
    expected: [
      -103,
      { ...fresh, version: 1, dataLength: 2, isOld: [false, true] },
      { ...fresh, version: 2, dataLength: 3, isOld: [false, true] },
      -103,
      0,
    ],
  },
  {
    name: 'the numbers of sequential nodes, and how the parent counts',
    act: async (stage) => {
      const one = await stage.opened()
      const made = []
      for (const flags of [2, 3, 0, 2]) {
        const path = stage.path(flags === 0 ? 'plain' : 'n-')
        made.push(createdOf(stage.place, await one.create(path, { flags, op: 'create' })))
        if (flags === 2) await one.delete(stage.path(`n-000000000${made.length - 1}`))
      }
      made.push(createdOf(stage.place, await one.create(`${stage.place}/`, { flags: 2, op: 'create' })))
      return [...made, childrenOf(await one.read('get-children2', stage.place))]
    },
    expected: [
      '/n-0000000000',
      '/n-0000000001',
      '/plain',
      '/n-0000000003',
      '/0000000004',
      [
        ['0000000004', 'n-0000000001', 'plain'],
        { ...fresh, cversion: 7, numChildren: 3, isOld: [true, false] },
      ],
    ],
  },
  {
    name: 'a node with children',
    act: async (stage) => {
      const one = await stage.opened()
      await one.create(stage.path('a'))
      const refused = codeOf(await one.delete(stage.place))
      return [refused, childrenOf(await one.read('get-children', stage.place))]
    },
    expected: [-111, ['a']],
  },
  {
    name: 'a container, and a flag that nobody knows',
    act: async (stage) => {
      const one = await stage.opened()
      const path = stage.path('c')
      return [
        createdOf(stage.place, await one.create(path, { op: 'create-container', flags: 4 })),
        statOf(await one.read('exists', path)),
        codeOf(await one.create(stage.path('x'), { flags: 9 })),
      ]
    },
    expected: [['/c', fresh], fresh, -8],
  },
  {
    name: 'a node that lives so long without a change',
    act: async (stage) => {
      const one = await stage.opened()
      const codes = [codeOf(await one.createTtl(stage.path('x'), 0n))]
      const made = createdOf(stage.place, await one.createTtl(stage.path('t'), 60_000n))
      return [...codes, made, statOf(await one.read('exists', stage.path('t')))]
    },
    expected: [-8, ['/t', fresh], fresh],
  },
  {
    name: 'what two clients of two servers see of each other',
    act: async (stage) => {
      const [one, two] = [await stage.opened(1), (await stage.actor(2)).client]
      await one.set(stage.place, 'x')
      const synced = await two.ask('sync', new JuteWriter().text(stage.place))
      return [
        codeOf(synced),
        synced?.body.text() === stage.place,
        dataOf(await two.read('get-data', stage.place)),
      ]
    },
    expected: [0, true, ['x', { ...fresh, version: 1, dataLength: 1, isOld: [false, true] }]],
  },
]
