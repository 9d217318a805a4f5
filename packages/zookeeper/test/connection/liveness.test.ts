import { settle } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { exists, sync } from '../../src/protocol/requests.ts'
import { openConnection, startConnection } from './open-connection.ts'
import { connectResponse, event, reply, stat } from './raw-peer.ts'

// The server grants 6 s: a ping after 2 s without a packet of the client, the end after 4 s without one of the server.

describe('a ping', () => {
  it('goes out when nothing was sent for a third of the session, however much comes in', async () => {
    const { clock, peer } = await openConnection()
    for (let i = 0; i < 4; i++) {
      await clock.advance(499)
      peer.say(event(3, '/a'))
    }
    await settle()
    expect(peer.opcodes).toEqual([])
    await clock.advance(4)
    expect(peer.opcodes).toEqual([11])
  })

  it('is not needed while requests go out', async () => {
    const { clock, peer, connection } = await openConnection()
    for (let i = 0; i < 6; i++) {
      const answer = connection.send(exists('/a', false))
      await settle()
      peer.say(reply(i + 1, { body: stat }))
      await answer
      await clock.advance(1_500)
    }
    expect(peer.opcodes).not.toContain(11)
  })

  it('keeps a quiet session for as long as it is answered', async () => {
    const { clock, peer, connection } = await openConnection()
    for (let i = 0; i < 10; i++) {
      await clock.advance(2_000)
      peer.answerAll()
      await settle()
    }
    expect(connection.endError).toBeUndefined()
    expect(connection.confirmedAtMs).toBe(clock.now())
  })
})

describe('a server that says nothing', () => {
  it('is given up after two thirds of the session, and what was under way with it', async () => {
    const { clock, connection } = await openConnection()
    const answer = connection.send(sync('/')).catch((error: unknown) => error)
    await clock.advance(3_999)
    expect(connection.endError).toBeUndefined()
    await clock.advance(1)
    expect(connection.endError).toMatchObject({ code: 'unresponsive', endpoint: 'zk1:2181', retryable: true })
    expect(await answer).toMatchObject({ kind: 'lost', cause: { code: 'unresponsive' } })
    expect(clock.pending).toBe(0)
  })

  it('is not given up for what was our own pause: its answer lies in the socket', async () => {
    const { clock, connection, peer } = await openConnection()
    await clock.block(5_000)
    expect(connection.endError).toBeUndefined()
    peer.answerAll()
    await clock.advance(1_000)
    expect(connection.endError).toBeUndefined()
  })

  it('is given up soon after our own pause, when nothing lies there', async () => {
    const { clock, connection } = await openConnection()
    await clock.block(5_000)
    await clock.advance(200)
    expect(connection.endError).toMatchObject({ code: 'unresponsive' })
  })
})

describe('what proves that the session lives', () => {
  it('is at first the handshake, dated by when it was asked for', async () => {
    const { opening, peer, clock, granted } = await startConnection()
    await clock.advance(300)
    peer.say(connectResponse())
    const connection = await opening
    expect([connection.confirmedAtMs, granted[0]?.askedAtMs, clock.now()]).toEqual([0, 0, 300])
  })

  it('is an answer, dated by when it was asked for, also when it is no', async () => {
    const { connection, clock, peer } = await openConnection()
    await clock.advance(1_000)
    const refused = connection.send(exists('/a', false)).catch(() => undefined)
    await clock.advance(700)
    expect(connection.confirmedAtMs).toBe(0)
    peer.say(reply(1, { err: -101 }))
    await refused
    expect(connection.confirmedAtMs).toBe(1_000)
  })

  it.each([-112, -118])('is no answer that denies the session (%i)', async (err) => {
    const { connection, clock, peer } = await openConnection()
    await clock.advance(1_000)
    const denied = connection.send(exists('/a', false)).catch(() => undefined)
    peer.say(reply(1, { err }))
    await denied
    expect(connection.confirmedAtMs).toBe(0)
  })

  it('is no event, which the server sends without having heard of us', async () => {
    const { connection, clock, peer } = await openConnection()
    await clock.advance(1_000)
    peer.say(event(3, '/a'))
    await settle()
    expect(connection.confirmedAtMs).toBe(0)
  })

  it('is no answer to a login, for which the server does not touch the session', async () => {
    const { connection, clock, peer } = await openConnection()
    await clock.advance(1_000)
    const login = connection.login([{ scheme: 'digest', value: Buffer.from('a:b') }])
    peer.say(reply(-4, { zxid: 0n }))
    await login
    expect(connection.confirmedAtMs).toBe(0)
  })
})
