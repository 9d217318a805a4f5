import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { systemClock } from '@ha/core'
import { until } from '@ha/core/testing'
import { localhostCertificate } from '@ha/testing/zookeeper'
import { afterEach, describe, expect, it } from 'vitest'
import { type ZookeeperDriverDeps, zookeeperDriver } from '../../src/connection/driver.ts'
import { never, newSession } from './open-connection.ts'
import { connectResponse, RawPeer } from './raw-peer.ts'

const { cert, key } = localhostCertificate

const open: Server[] = []
const sockets: Socket[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of open.splice(0)) {
    server.close()
    await once(server, 'close')
  }
})

async function listening(server: Server): Promise<number> {
  open.push(server)
  server.on('connection', (socket: Socket) => sockets.push(socket.on('error', () => undefined)))
  server.listen(0, 'localhost')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

function driver(tls?: ZookeeperDriverDeps['tls']) {
  const parts = {
    clock: systemClock,
    sessions: {
      connectRequest: () => newSession,
      sessionGranted: () => undefined,
      sessionExpired: () => undefined,
    },
  }
  return zookeeperDriver({ ...parts, tls })
}

describe('a dial over TCP', () => {
  it('to a port where nobody listens is something to try elsewhere', async () => {
    const port = await listening(createServer())
    for (const server of open.splice(0)) server.close()
    const refused = driver().open({ host: 'localhost', port }, never)
    await expect(refused).rejects.toMatchObject({ code: 'unreachable', retryable: true })
  })

  it('that is given up leaves nothing open', async () => {
    const port = await listening(createServer())
    const abort = new AbortController()
    const dial = driver().open({ host: 'localhost', port }, abort.signal)
    await until('the server has it', () => sockets.length === 1)
    abort.abort(new Error('given up'))
    await expect(dial).rejects.toThrow('given up')
    sockets[0]?.resume()
    await until('it is gone', () => sockets[0]?.destroyed === true)
  })
})

describe('a dial over TLS', () => {
  function secure(): Server {
    const server = createTlsServer({ key, cert })
    server.on('secureConnection', (socket) => {
      const peer = new RawPeer(socket)
      socket.once('data', () => peer.say(connectResponse()))
    })
    return server
  }

  it('reaches a server whose certificate is trusted', async () => {
    const port = await listening(secure())
    const connection = await driver({ ca: cert }).open({ host: 'localhost', port }, never)
    expect(connection.grant.sessionId).toBe(0x100n)
    connection.destroy()
  })

  it('is refused for good when the certificate is not', async () => {
    const port = await listening(secure())
    const refused = driver({}).open({ host: 'localhost', port }, never)
    await expect(refused).rejects.toMatchObject({ code: 'refused', retryable: false })
  })

  it('asks each server by its own name, one dialled by its address by none, and lets go when it is given up', async () => {
    const port = await listening(createServer())
    const said: string[] = []
    for (const host of ['localhost', '127.0.0.1']) {
      const end = new AbortController()
      const dial = driver({}).open({ host, port }, end.signal)
      dial.catch(() => undefined)
      await until('the server has it', () => sockets.length === said.length + 1)
      const [request] = (await once(sockets.at(-1) as Socket, 'data')) as [Buffer]
      said.push(request.includes('localhost') ? 'a name' : 'none')
      end.abort()
      sockets.at(-1)?.resume()
      await until('it is gone', () => sockets.at(-1)?.destroyed === true)
    }
    expect(said).toEqual(['a name', 'none'])
  })

  it('is named as missing when the port speaks TLS and the client does not', async () => {
    const port = await listening(secure())
    const refused = driver().open({ host: 'localhost', port }, never)
    await expect(refused).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/speaks TLS on this port: pass tls: true/),
    })
  })

  it('is named when the port speaks no TLS', async () => {
    const plain = createServer((socket) => socket.once('data', () => socket.destroy()))
    const port = await listening(plain)
    const refused = driver({ ca: cert }).open({ host: 'localhost', port }, never)
    await expect(refused).rejects.toMatchObject({
      message: expect.stringMatching(/speak no TLS on this port/),
    })
  })
})

describe('a dial without TLS that a plain server ends', () => {
  it('looks for TLS once, and says what the server did', async () => {
    const plain = createServer((socket) => socket.once('data', () => socket.end()))
    const port = await listening(plain)
    const ours = driver()
    for (let n = 0; n < 3; n++) {
      await expect(ours.open({ host: 'localhost', port }, never)).rejects.toMatchObject({
        code: 'unreachable',
        message: expect.stringMatching(/no session was granted/),
      })
    }

    expect(sockets).toHaveLength(4)
  })
})
