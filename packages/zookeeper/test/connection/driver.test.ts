import { settle } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { zookeeperDriver } from '../../src/connection/driver.ts'
import { endpoint, newSession, openConnection, startConnection } from './open-connection.ts'
import { connectResponse, rawPair, reply } from './raw-peer.ts'

const digest = { scheme: 'digest', value: Buffer.from('user:secret') }

describe('a handshake', () => {
  it('asks for the session in the words of the protocol', async () => {
    const request = {
      sessionId: 0x1234n,
      password: Buffer.alloc(16, 9),
      lastZxid: 0x500000007n,
      timeoutMs: 10_000,
    }
    const { peer } = await startConnection({ connectRequest: () => request })
    expect(peer.connectRequest?.toString('hex')).toBe(
      `00000000${'0000000500000007'}${'00002710'}${'0000000000001234'}00000010${'09'.repeat(16)}00`,
    )
  })

  it('tells what was granted', async () => {
    const { granted, connection } = await openConnection({}, { timeoutMs: 4_000, sessionId: -7n })
    const expected = { sessionId: -7n, timeoutMs: 4_000, password: Buffer.alloc(16, 7), resumed: false }
    expect(granted).toEqual([{ ...expected, askedAtMs: 0 }])
    expect(connection.grant).toBe(granted[0])
  })

  it.each([
    ['of the same number is resumed', 0x100n, true],
    ['of another number is new', 0x200n, false],
  ])('whose session %s', async (_, sessionId, resumed) => {
    const { connection } = await openConnection(
      { connectRequest: () => ({ ...newSession, sessionId: 0x100n }) },
      { sessionId },
    )
    expect(connection.grant.resumed).toBe(resumed)
  })

  it.each([
    ['says nothing of read-only, as before 3.4', Buffer.alloc(0)],
    ['says more than we know', Buffer.of(0, 1, 2, 3)],
  ])('is understood of a server that %s', async (_, flag) => {
    const { connection } = await openConnection({}, { flag })
    expect(connection.grant).toMatchObject({ sessionId: 0x100n, timeoutMs: 6_000 })
  })

  it.each([
    ['no time', { timeoutMs: 0 }],
    ['no number', { sessionId: 0n }],
  ])('that grants %s says that the session has ended', async (_, grant) => {
    const { peer, expired, granted, opening } = await startConnection({
      connectRequest: () => ({ ...newSession, sessionId: 0x77n }),
    })
    peer.say(connectResponse(grant))
    await expect(opening).rejects.toMatchObject({ code: 'session-lost', retryable: true })
    expect([expired, granted]).toEqual([[0x77n], []])
  })

  it('that is broken off says who hung up, as something to try elsewhere', async () => {
    const { peer, opening } = await startConnection()
    peer.stream.end()
    await expect(opening).rejects.toMatchObject({
      code: 'unreachable',
      endpoint: 'zk1:2181',
      retryable: true,
    })
  })

  it('with something that is no ZooKeeper says so', async () => {
    const { peer, opening } = await startConnection()
    peer.say(Buffer.from('HTTP/1.1 400 Bad Request'))
    await expect(opening).rejects.toThrow('is it a ZooKeeper server?')
  })

  it('behind which comes what cannot be is no session', async () => {
    const { peer, opening, clock } = await startConnection()
    peer.say(connectResponse(), reply(7))
    await expect(opening).rejects.toMatchObject({ code: 'unreachable', retryable: true })
    expect(clock.pending).toBe(0)
  })

  it('that is too short is no session', async () => {
    const { peer, opening } = await startConnection()
    peer.say(reply(0).subarray(0, 4), reply(0).subarray(4))
    await expect(opening).rejects.toMatchObject({ code: 'unreachable' })
  })

  it('that nobody waits for any more leaves nothing open, and tells nobody of a session', async () => {
    const { stream, peer } = rawPair()
    const { opening, abort, granted } = await startConnection({ dial: async () => stream })
    abort.abort(new Error('given up'))
    peer.say(connectResponse())
    await expect(opening).rejects.toThrow('given up')
    await settle()
    expect([stream.destroyed, granted]).toEqual([true, []])
  })
})

describe('a login', () => {
  it('goes out right after the handshake, all at once, and before anything else', async () => {
    const ip = { scheme: 'ip', value: Buffer.from('x') }
    const { peer, opening } = await startConnection({ auth: [digest, ip] })
    peer.say(connectResponse())
    await settle()
    expect(peer.heard.map(({ xid, opcode }) => [xid, opcode])).toEqual([
      [-4, 100],
      [-4, 100],
    ])
    expect(peer.heard[0]?.body.toString('hex')).toBe(
      `00000000${'00000006'}${Buffer.from('digest').toString('hex')}${'0000000b'}${digest.value.toString('hex')}`,
    )
    peer.answerAll(0n)
    await expect(opening).resolves.toMatchObject({ endpoint })
  })

  it('that is refused fails the dial for good, without a word of it, and the session is known all the same', async () => {
    const { peer, opening, granted, clock } = await startConnection({ auth: [digest] })
    peer.say(connectResponse())
    await settle()
    peer.say(reply(-4, { zxid: 0n, err: -115 }))
    peer.stream.end()
    const error = await opening.catch((thrown: Error) => thrown)
    expect(error).toMatchObject({ code: 'auth-failed', serverCode: -115, retryable: false })
    expect(JSON.stringify(error) + (error as Error).message).not.toContain('secret')
    expect([granted.length, clock.pending]).toEqual([1, 0])
  })

  it('that is not answered because the server hangs up is to be tried elsewhere', async () => {
    const { peer, opening } = await startConnection({ auth: [digest] })
    peer.say(connectResponse())
    await settle()
    peer.stream.end()
    await expect(opening).rejects.toMatchObject({ code: 'unreachable', retryable: true })
  })
})

describe('an endpoint probe', () => {
  it.each([
    ['answers', (peer: ReturnType<typeof rawPair>['peer']) => peer.stream.write('Zookeeper version')],
    ['hangs up', (peer: ReturnType<typeof rawPair>['peer']) => peer.stream.end()],
  ])('is answered by a server that %s', async (_, act) => {
    const { probing, stream, peer } = probe()
    act(peer)
    await expect(probing).resolves.toBe('unidentified')
    expect(stream.destroyed).toBe(true)
  })

  it('is not answered by a server that says nothing, and leaves nothing open when it is given up', async () => {
    const { probing, stream, abort } = probe()
    await settle()
    abort.abort(new Error('given up'))
    await expect(probing).rejects.toThrow('given up')
    expect(stream.destroyed).toBe(true)
  })

  it('at a connection that breaks is in vain', async () => {
    const { probing, stream } = probe()
    await settle()
    stream.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
    await expect(probing).rejects.toMatchObject({ code: 'unreachable' })
  })
})

function probe() {
  const { stream, peer } = rawPair()
  const abort = new AbortController()
  const driver = zookeeperDriver({
    clock: { now: () => 0, after: () => () => undefined, sleep: async () => undefined },
    sessions: {
      connectRequest: () => newSession,
      sessionGranted: () => undefined,
      sessionExpired: () => undefined,
    },
    dial: async () => stream,
  })
  const probing = driver.probeEndpoint(endpoint, abort.signal)
  probing.catch(() => undefined)
  return { probing, stream, peer, abort }
}
