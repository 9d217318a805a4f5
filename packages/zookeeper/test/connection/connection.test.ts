import { isHaError } from '@ha/core'
import { settle } from '@ha/core/testing'
import { describe, expect, it, vi } from 'vitest'
import type { ConnectionError } from '../../src/connection/error-classification.ts'
import { defaultLimits } from '../../src/connection/in-flight.ts'
import { MalformedError, ReplyError } from '../../src/protocol/error-codes.ts'
import { exists, getData, setWatches, sync } from '../../src/protocol/requests.ts'
import { openConnection } from './open-connection.ts'
import { event, int, reply, stat, ustring } from './raw-peer.ts'

const watchNothing = {
  relativeZxid: 0n,
  data: [],
  exists: [],
  children: [],
  persistent: [],
  recursive: [],
}

describe('a request', () => {
  it('is numbered from 1, and answered by its number', async () => {
    const { connection, peer } = await openConnection()
    const both = Promise.all([connection.send(exists('/a', false)), connection.send(getData('/b', true))])
    await settle()
    expect(peer.heard.map(({ xid, opcode }) => [xid, opcode])).toEqual([
      [1, 3],
      [2, 4],
    ])
    peer.say(reply(1, { body: stat }), reply(2, { body: Buffer.concat([int(2), Buffer.from('hi'), stat]) }))
    expect(await both).toMatchObject([
      { czxid: 1n, version: 5 },
      { data: Buffer.from('hi'), stat: { pzxid: 11n } },
    ])
  })

  it.each([
    [-101, 'NONODE'],
    [-118, 'SESSIONMOVED'],
    [-127, 'THROTTLEDOP'],
    [-999, undefined],
  ])('that is refused with %i rejects, and the connection stands', async (code, symbol) => {
    const { connection, peer } = await openConnection()
    const refused = connection.send(getData('/a', false)).catch((error: unknown) => error)
    peer.say(reply(1, { err: code }))
    expect(await refused).toBeInstanceOf(ReplyError)
    expect(await refused).toMatchObject({ code, symbol, path: '/a' })
    expect(connection.endError).toBeUndefined()
  })

  it('whose yes cannot be read is the only one that fails', async () => {
    const { connection, peer } = await openConnection()
    const unread = connection.send(getData('/a', false)).catch((error: unknown) => error)
    const next = connection.send(exists('/a', false))
    peer.say(reply(1, { body: int(0x7fff_ffff) }), reply(2, { body: stat }))
    expect(await unread).toBeInstanceOf(MalformedError)
    expect(await next).toMatchObject({ version: 5 })
  })

  it('is answered though the answer comes one byte at a time', async () => {
    const { connection, peer } = await openConnection()
    const answer = connection.send(exists('/a', false))
    for (const byte of reply(1, { body: stat })) peer.stream.write(Buffer.of(byte))
    expect(await answer).toMatchObject({ version: 5 })
  })

  it('with a number that is set aside is answered beside the others', async () => {
    const { connection, peer } = await openConnection()
    const first = connection.send(sync('/'))
    const watched = connection.send(setWatches(watchNothing))
    peer.say(reply(-8))
    await watched
    peer.say(reply(1, { body: ustring('/') }))
    await expect(first).resolves.toBeUndefined()
  })

  it('that is too large for every server is not sent', async () => {
    const { connection, peer } = await openConnection({ limits: { ...defaultLimits, maxRequestBytes: 20 } })
    const error = await connection.send(exists('/a-long-path', false)).catch((thrown: unknown) => thrown)
    await settle()
    expect({ error, heard: peer.heard }).toMatchObject({ error: { what: 'request' }, heard: [] })
  })

  it('beyond the limits is turned away unsent, and the next has room when one is answered', async () => {
    const { connection, peer } = await openConnection({ limits: { ...defaultLimits, maxInFlight: 1 } })
    const first = connection.send(exists('/a', false))
    await expect(connection.send(exists('/b', false))).rejects.toMatchObject({ kind: 'full', sent: false })
    peer.say(reply(1, { body: stat }))
    await first
    connection.send(exists('/c', false)).catch(() => undefined)
    await settle()
    expect(peer.heard.map(({ xid }) => xid)).toEqual([1, 2])
  })
})

describe('an answer that is too large', () => {
  const limits = { ...defaultLimits, maxFrameBytes: 100 }
  const large = Buffer.alloc(500)

  it('is the failure of its request, and of nothing else', async () => {
    const { connection, peer } = await openConnection({ limits })
    const first = connection.send(getData('/a', false)).catch((error: unknown) => error)
    const next = connection.send(exists('/b', false))
    peer.say(reply(1, { body: large }), reply(2, { body: stat }))
    expect(await first).toMatchObject({
      what: 'reply',
      message: 'getData: the reply has 516 bytes, the limit is 100',
    })
    expect(await next).toMatchObject({ version: 5 })
  })

  it('of a no is still a no', async () => {
    const { connection, peer } = await openConnection({ limits })
    const refused = connection.send(getData('/a', false))
    peer.say(reply(1, { err: -101, body: large }))
    await expect(refused).rejects.toMatchObject({ code: -101 })
  })

  it.each([
    ['nobody asked for', reply(7, { body: large })],
    ['is an event', reply(-1, { body: large })],
  ])('and that %s ends the connection', async (_, bytes) => {
    const { connection, peer } = await openConnection({ limits })
    const asked = connection.send(sync('/'))
    peer.say(bytes)
    await expect(asked).rejects.toMatchObject({ kind: 'lost' })
    expect(connection.endError?.cause).toBeInstanceOf(MalformedError)
  })
})

describe('an answer that was not the next', () => {
  it.each([
    ['nobody asked', reply(7)],
    ['is not its turn', reply(2)],
    ['is a ping that was not sent', reply(-2)],
  ])('ends the connection when it %s', async (_, bytes) => {
    const { connection, peer } = await openConnection()
    const both = [connection.send(sync('/')), connection.send(sync('/'))]
    peer.say(bytes)
    for (const each of await Promise.allSettled(both)) {
      expect(each).toMatchObject({ reason: { kind: 'lost', sent: true, cause: { code: 'lost' } } })
    }
    expect(connection.endError?.cause).toBeInstanceOf(MalformedError)
  })
})

describe('the end of a connection', () => {
  it('is known before what was under way is rejected, so that to ask again at once cannot loop', async () => {
    const { connection, peer } = await openConnection()
    const seen: unknown[] = []
    const again = connection.send(sync('/')).catch((error: ConnectionError) => {
      seen.push(error.kind, isHaError(connection.endError))
      return connection.send(sync('/'))
    })
    peer.stream.end()
    await expect(again).rejects.toMatchObject({ kind: 'over', sent: false })
    expect(seen).toEqual(['lost', true])
  })

  it('is told once, also to one who listens too late, and leaves no timer', async () => {
    const { connection, peer, clock } = await openConnection()
    const told: string[] = []
    connection.onEnd(({ code }) => told.push(code))
    peer.stream.destroy(new Error('gone'))
    peer.stream.end()
    connection.destroy()
    connection.destroy()
    connection.onEnd(({ code }) => told.push(`late: ${code}`))
    expect(told).toEqual(['lost', 'late: lost'])
    expect(clock.pending).toBe(0)
  })

  it('by our own wish ends the session first, and waits for the word of the server', async () => {
    const { connection, peer } = await openConnection()
    const ended = vi.fn()
    const end = connection.closeSession().then(ended)
    await settle()
    expect([peer.opcodes, ended.mock.calls.length]).toEqual([[-11], 0])
    peer.say(reply(1))
    await end
    expect([ended.mock.calls, connection.endError?.code]).toEqual([[[true]], 'lost'])
  })

  it('by our own wish comes also when the server hangs up instead', async () => {
    const { connection, peer } = await openConnection()
    const end = connection.closeSession()
    peer.stream.end()
    await expect(end).resolves.toBe(false)
  })
})

describe('an event', () => {
  it('is told in our words', async () => {
    const { connection, peer } = await openConnection()
    const told: unknown[] = []
    connection.onEvent((each) => told.push(each))
    peer.say(event(1, '/a'), event(2, '/b'), event(3, '/c'), event(4, '/d'))
    await settle()
    expect(told).toEqual([
      { kind: 'created', path: '/a' },
      { kind: 'deleted', path: '/b' },
      { kind: 'changed', path: '/c' },
      { kind: 'children', path: '/d' },
    ])
  })

  it('of another kind is counted, and hurts nobody', async () => {
    const { connection, peer } = await openConnection()
    peer.say(...[-1, 5, 6, 7, 99].map((type) => event(type, '/a')))
    await settle()
    expect([connection.ignoredEvents, connection.endError]).toEqual([5, undefined])
  })

  it('that cannot be read ends the connection: a watch would be lost without a word', async () => {
    const { connection, peer } = await openConnection()
    peer.say(reply(-1, { zxid: -1n, body: int(3) }))
    await settle()
    expect(connection.endError?.cause).toBeInstanceOf(MalformedError)
  })

  it('whose listener throws takes nothing from those behind it', async () => {
    const { connection, peer } = await openConnection()
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    connection.onEvent(() => {
      throw new Error('mine')
    })
    const answer = connection.send(exists('/a', false))
    peer.say(event(3, '/a'), reply(1, { body: stat }))
    expect(await answer).toMatchObject({ version: 5 })
    expect(warned).toHaveBeenCalledOnce()
    warned.mockRestore()
  })
})

describe('what is known of the server', () => {
  it('is its latest transaction in an answer, and not in a ping, an event or a word without one', async () => {
    const { connection, peer } = await openConnection()
    const seen: bigint[] = []
    const answers = [connection.send(sync('/')), connection.send(sync('/')), connection.ping()]
    for (const bytes of [
      reply(1, { zxid: 9n }),
      reply(2, { zxid: -1n }),
      reply(-2, { zxid: 12n }),
      event(3, '/'),
    ]) {
      peer.say(bytes)
      await settle()
      seen.push(connection.lastZxid)
    }
    await Promise.allSettled(answers)
    expect(seen).toEqual([9n, 9n, 9n, 9n])
  })
})
