import { type JuteReader, JuteWriter, writeAcl } from '../../../src/zookeeper/wire/records.ts'
import { opCodes } from '../../../src/zookeeper/wire/requests.ts'
import type { Reply } from '../raw-client.ts'
import { below, childrenOf, codeOf, statIn } from './comparable-stat.ts'
import type { Harness, Scenario } from './harness.ts'

type Part = (writer: JuteWriter) => JuteWriter

const everybody = [{ permissions: 31, scheme: 'world', id: 'anyone' }]

const create =
  (path: string, flags = 0): Part =>
  (writer) =>
    writeAcl(head(writer, opCodes.create).text(path).buffer(null), everybody).int(flags)

const create2 =
  (path: string): Part =>
  (writer) =>
    writeAcl(head(writer, opCodes.create2).text(path).buffer(null), everybody).int(0)

const container =
  (path: string): Part =>
  (writer) =>
    writeAcl(head(writer, opCodes['create-container']).text(path).buffer(null), everybody).int(4)

const check =
  (path: string, version: number): Part =>
  (writer) =>
    head(writer, opCodes.check).text(path).int(version)

const remove =
  (path: string, version = -1): Part =>
  (writer) =>
    head(writer, opCodes.delete).text(path).int(version)

const set =
  (path: string, data: string, version = -1): Part =>
  (writer) =>
    head(writer, opCodes['set-data']).text(path).buffer(Buffer.from(data)).int(version)

/** What becomes of several changes at once. */
export const multis: readonly Scenario[] = [
  {
    name: 'a multi that is done',
    act: async (stage) => {
      const one = await stage.opened()
      const [a, b] = [stage.path('a'), stage.path('b')]
      const reply = await one.ask(
        'multi',
        multi(
          create(a),
          create2(b),
          container(stage.path('c')),
          create(`${a}/n-`, 2),
          set(a, 'xy', 0),
          check(a, 1),
          remove(b, 0),
        ),
      )
      return resultsOf(stage, reply)
    },
    expected: [
      0,
      ['create', '/a'],
      ['create', '/b'],
      ['create2', '/c', 0],
      ['create', '/a/n-0000000000'],
      ['set', 1],
      ['check'],
      ['delete'],
    ],
  },
  {
    name: 'a multi of which one part is refused',
    act: async (stage) => {
      const one = await stage.opened()
      const reply = await one.ask(
        'multi',
        multi(create(stage.path('a')), check(stage.place, 7), create(stage.path('b'))),
      )
      return [resultsOf(stage, reply), childrenOf(await one.read('get-children', stage.place))]
    },
    expected: [[0, ['failed', 0], ['failed', -103], ['failed', -2]], []],
  },
  {
    name: 'a multi of nothing',
    act: async (stage) => resultsOf(stage, await (await stage.opened()).ask('multi', multi())),
    expected: [0],
  },
]

function head(writer: JuteWriter, type: number): JuteWriter {
  return writer.int(type).flag(false).int(-1)
}

function multi(...parts: readonly Part[]): JuteWriter {
  const writer = new JuteWriter()
  for (const part of parts) part(writer)
  return writer.int(-1).flag(true).int(-1)
}

function resultsOf(stage: Harness, reply: Reply | undefined): readonly unknown[] {
  const results: unknown[] = [codeOf(reply)]
  while (reply !== undefined && reply.body.left > 0) {
    const [type, isDone] = [reply.body.int(), reply.body.flag()]
    const error = reply.body.int()
    if (isDone) break
    results.push(resultOf(stage, type, reply.body, error))
  }
  return results
}

function resultOf(stage: Harness, type: number, body: JuteReader, error: number): readonly unknown[] {
  switch (type) {
    case -1:
      return ['failed', body.int() === error ? error : 'two codes']
    case opCodes.create:
      return ['create', below(stage.place, body.text())]
    case opCodes.create2:
      return ['create2', below(stage.place, body.text()), statIn(body).version]
    case opCodes['set-data']:
      return ['set', statIn(body).version]
    case opCodes.check:
      return ['check']
    default:
      return [type === opCodes.delete ? 'delete' : type]
  }
}
