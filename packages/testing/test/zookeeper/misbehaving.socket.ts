import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { until } from '@ha/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  encodeEvent,
  encodeReply,
  type FakeEnsemble,
  lengthOf,
  type Rule,
  startFakeEnsemble,
} from '../../src/zookeeper/index.ts'
import { type Grant, type Hello, RawClient } from './raw-client.ts'
import { codeOf } from './scenarios/comparable-stat.ts'

let ensemble: FakeEnsemble
const sockets: Socket[] = []

beforeEach(async () => {
  ensemble = await startFakeEnsemble({ tickTimeMs: 500 })
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await ensemble.close()
})

function stranger(node = 1): RawClient {
  const { host, port } = ensemble.node(node).endpoint
  const socket = connect({ host, port, noDelay: true })
  sockets.push(socket)
  return new RawClient(socket)
}

async function client(node = 1, hello: Hello = {}): Promise<RawClient & { readonly grant: Grant }> {
  const raw = stranger(node)
  const grant = await raw.hello(hello)
  if (grant === undefined) throw new Error('the connection ended')
  return Object.assign(raw, { grant })
}

function has(path: string): boolean {
  return ensemble.tree().has(path)
}

describe('a fake ensemble that is scripted', () => {
  it.each([-118, -125, -127, -999])('answers %d and does nothing', async (code) => {
    const one = await client()
    ensemble.script({ when: { op: 'create2', path: '/a' }, do: 'refuse', code })
    expect([codeOf(await one.create('/a')), has('/a')]).toEqual([code, false])
  })

  it('refuses as often as it is told, on the node that it is told', async () => {
    const [one, two] = [await client(1), await client(2)]
    ensemble.script({ when: { op: 'ping', node: 1, skip: 1, times: 1 }, do: 'refuse', code: -127 })
    const codes = [await one.ping(), await two.ping(), await one.ping(), await one.ping()].map(codeOf)
    expect(codes).toEqual([0, 0, -127, 0])
  })

  it('never answers, and goes on with what comes behind', async () => {
    const one = await client()
    ensemble.script(
      { when: { path: '/a' }, do: 'ignore' },
      { when: { path: '/b' }, do: 'ignore', at: 'unanswered' },
    )
    void one.create('/a')
    void one.create('/b')
    void one.create('/c')
    await until('the last is done', () => has('/c'))
    expect([has('/a'), has('/b'), ensemble.log.entries({ path: '/a' })[0]?.outcome]).toEqual([
      false,
      true,
      'lost',
    ])
  })

  it('holds a request, and all behind it, until it is released', async () => {
    const one = await client()
    ensemble.script({ when: { path: '/a' }, do: 'hold', until: 'go' })
    const both = [one.create('/a'), one.create('/b')]
    await ensemble.log.until({ path: '/a' })
    expect([has('/a'), ensemble.log.count({ path: '/b' })]).toEqual([false, 0])
    ensemble.release('go')
    expect((await Promise.all(both)).map(codeOf)).toEqual([0, 0])
  })

  it('tells no news of a watch before the late answer to the request that set it', async () => {
    const [one, two] = [await client(1), await client(2)]
    await one.create('/a')
    ensemble.script({ when: { op: 'get-data' }, do: 'hold', until: 'go', at: 'answer' })
    const read = one.read('get-data', '/a', true)
    await ensemble.log.until({ op: 'get-data' })
    await two.set('/a', 'x')
    ensemble.release('go')
    await read
    await one.ping()
    expect(one.heard).toEqual(['reply 1', 'reply 2', 'changed /a', 'reply -2'])
  })

  it('answers in pieces, with another number, and with what nobody asked for', async () => {
    const one = await client()
    ensemble.script(
      { when: { path: '/a' }, do: 'slice', pieceBytes: 1 },
      { when: { path: '/a' }, do: 'misnumber', by: 41 },
      { when: { path: '/a' }, do: 'inject', bytes: encodeEvent(7, '/x') },
      { when: { path: '/a' }, do: 'inject', bytes: encodeEvent(-1, '/y'), at: 'after' },
    )
    await one.create('/a')
    await one.ping()
    expect(one.heard).toEqual(['7 /x', 'reply 42', '-1 /y', 'reply -2'])
  })

  it('says what it is told to say on a connection', async () => {
    const one = await client()
    const [line] = ensemble.nodeOf(one.grant.sessionId)!.connections
    const pong = one.ping()
    line!.inject(encodeReply({ xid: 9, zxid: 1n, code: 0 }))
    line!.inject(lengthOf(0x7fff_ffff))
    await pong
    expect(one.heard).toContain('reply 9')
  })

  it('says that a session is over, or nothing, to one who greets it', async () => {
    const undo = ensemble.script({ when: { op: 'connect' }, do: 'refuse', code: -112 })
    expect(await stranger().hello()).toMatchObject({ timeoutMs: 0, sessionId: 0n })
    undo()
    ensemble.script({ when: { op: 'connect' }, do: 'silence' })
    void stranger().hello()
    await ensemble.log.until({ op: 'connect', outcome: 'lost' })
    expect(ensemble.sessions()).toEqual([])
  })

  it('ends connections as soon as it has accepted them', async () => {
    ensemble.script({ when: { op: 'accept' }, do: 'cut', how: 'end' })
    expect(await stranger().hello()).toBeUndefined()
  })

  it.each<[string, Rule, string, boolean]>([
    ['before', { when: { path: '/a' }, do: 'cut', how: 'reset' }, 'ECONNRESET', false],
    ['in the request', { when: { path: '/a' }, do: 'cut', how: 'end', at: { requestByte: 9 } }, 'end', false],
    ['unanswered', { when: { path: '/a' }, do: 'cut', how: 'reset', at: 'unanswered' }, 'ECONNRESET', true],
    ['in the answer', { when: { path: '/a' }, do: 'cut', how: 'end', at: { answerByte: 9 } }, 'end', true],
  ])('cuts %s', async (_, rule, how, isDone) => {
    const one = await client()
    ensemble.script(rule)
    expect([codeOf(await one.create('/a')), one.heard.at(-1), has('/a')]).toEqual(['end', how, isDone])
  })

  it('keeps the session of a connection that it fell silent on', async () => {
    const one = await client()
    await one.create('/e', { flags: 1 })
    ensemble.script({ when: { op: 'ping' }, do: 'silence' })
    void one.ping()
    await ensemble.log.until({ op: 'ping' })
    expect([has('/e'), one.isEnded]).toEqual([true, false])
  })

  it.each([
    [{ when: { op: 'conect' }, do: 'silence' }, "not 'conect'; did you mean 'connect'?"],
    [{ when: {}, do: 'silence' }, 'about an op, a path or a session'],
    [{ when: { path: /x/g }, do: 'silence' }, 'without the flags g and y'],
    [{ when: { from: 'server', byte: 0 }, do: 'silence' }, 'a whole number from 1, not 0'],
    [{ when: { op: 'ping' }, do: 'slice', pieceBytes: 0 }, 'a whole number from 1, not 0'],
  ])('refuses the rule %j', (rule, words) => {
    expect(() => ensemble.script(rule as Rule)).toThrow(words)
  })
})

describe('a connection that is cut at every byte', () => {
  it.each(['server', 'client'] as const)(
    'of the %s creates a node once when it was told so, and never twice',
    async (from) => {
      const seen = new Set<string>()
      for (let byte = 1; !seen.has('told, 1'); byte += 1) {
        const path = `/${from}-${byte}-`
        const undo = ensemble.script({
          when: { from, byte, connection: ensemble.accepted + 1 },
          do: 'cut',
          how: 'reset',
        })
        const isTold = await createOnce(path)
        undo()
        const count = [...ensemble.tree().keys()].filter((each) => each.startsWith(path)).length
        seen.add(`${isTold ? 'told' : 'not told'}, ${count}`)
      }
      expect([...seen].sort()).toEqual(['not told, 0', 'not told, 1', 'told, 1'])
    },
  )

  async function createOnce(path: string): Promise<boolean> {
    const one = stranger()
    const grant = await one.hello()
    const code = grant === undefined ? 'end' : codeOf(await one.create(path, { flags: 2 }))
    one.leave()
    return code === 0
  }
})

describe('on the wire', () => {
  it('the log has what clients sent, in order, with its size', async () => {
    const one = await client()
    await one.auth('digest', 'joe:secret')
    await one.create('/a')
    expect(ensemble.log.operations({ connection: 1 })).toEqual(['accept', 'connect', 'auth', 'create2'])
    const [entry] = ensemble.log.entries({ op: 'create2' })
    expect(entry).toMatchObject({
      node: 1,
      session: one.grant.sessionId,
      paths: ['/a'],
      xid: 2,
      outcome: 'done',
    })
    // A length, a head, a path, no data, one entry of an ACL, flags.
    expect(entry?.bytes).toBe(4 + 8 + (4 + 2) + 4 + (4 + 4 + (4 + 5) + (4 + 6)) + 4)
  })

  it.each([
    ['ruok', 'imok'],
    ['srvr', 'Mode: follower'],
    ['stat', 'stat is not executed'],
  ])('the word %s is answered', async (word, said) => {
    expect(await answerTo(word)).toContain(said)
  })

  it('the word srvr is answered without a quorum too', async () => {
    await ensemble.node(2).kill()
    await ensemble.node(3).kill()
    expect(await answerTo('srvr')).toContain('not currently serving')
  })

  async function answerTo(word: string): Promise<string> {
    const socket = connect({ ...ensemble.node(1).endpoint })
    let said = ''
    socket.on('data', (bytes) => {
      said += bytes.toString()
    })
    socket.write(word)
    await once(socket, 'close')
    return said
  }
})
