import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect as connectSocket, createServer, type Server } from 'node:net'
import type { Endpoint } from '@ha/core'
import { type FakeCluster, type Rule, startFakeGalera, startFakeServer } from '@ha/testing/mariadb'
import { afterEach, describe, expect, test } from 'vitest'
import { mariadbDriver } from '../../src/driver/driver.ts'
import { driverOptions, type OwnOptions } from './driver-options.ts'

const never = new AbortController().signal
const ends: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function fakeServer(): Promise<FakeCluster> {
  const server = await startFakeServer()
  ends.push(() => server.close())
  return server
}

/** A scripted server: the test decides about every byte. */
async function listening(server: Server): Promise<Endpoint> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => void server.close())
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

function open(endpoint: Endpoint, signal: AbortSignal = never, own: OwnOptions = {}) {
  return mariadbDriver(driverOptions(endpoint, own)).open(endpoint, signal)
}

describe('a dial that is given up leaves nothing open', () => {
  test.each<[string, Rule]>([
    ['before the greeting', { when: { command: 'connect' }, do: 'silence' }],
    ['in the login', { when: { command: 'log-in' }, do: 'silence' }],
    ['while the session is set up', { when: { sql: /^SET SESSION/ }, do: 'silence' }],
  ])('%s', async (_stage, rule) => {
    const server = await fakeServer()
    server.script(rule)
    const controller = new AbortController()
    const dial = open(server.node(1).endpoint, controller.signal)
    await expect.poll(() => server.connections).toBe(1)
    controller.abort(new Error('given up'))
    await expect(dial).rejects.toThrow('given up')
    await expect.poll(() => server.connections).toBe(0)
  })

  test('in the upgrade to TLS', async () => {
    const heard: string[] = []
    const silent = createServer((socket) => {
      socket.write(greetingWithTls())
      socket.on('data', () => heard.push('data'))
      socket.on('close', () => heard.push('close'))
      socket.on('error', () => undefined)
    })
    const endpoint = await listening(silent)
    const controller = new AbortController()
    const tls = { mode: 'trust', options: { rejectUnauthorized: false } } as const
    const dial = open(endpoint, controller.signal, { tls })
    await expect.poll(() => heard).toContain('data')
    controller.abort(new Error('given up'))
    await expect(dial).rejects.toThrow('given up')
    await expect.poll(() => heard).toContain('close')
  })

  test('before the password is known', async () => {
    const server = await fakeServer()
    const { endpoint } = server.node(1)
    const options = { ...driverOptions(endpoint), password: () => new Promise<string>(() => undefined) }
    await expect(mariadbDriver(options).open(endpoint, AbortSignal.timeout(20))).rejects.toThrow()
    expect(server.accepted).toBe(0)
  })
})

describe('a dial that fails', () => {
  test('over the password is refused for good', async () => {
    const server = await fakeServer()
    const dial = open(server.node(1).endpoint, never, { password: 'wrong' })
    await expect(dial).rejects.toMatchObject({ code: 'refused', retryable: false, serverCode: 1045 })
  })

  test('at a full server says that it is full, not down', async () => {
    const server = await fakeServer()
    server.script({
      when: { command: 'connect' },
      do: 'refuse',
      errno: 1040,
      message: 'Too many connections',
    })
    const { endpoint } = server.node(1)
    const error: unknown = await open(endpoint).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'unreachable', retryable: true, serverCode: 1040 })
    expect(mariadbDriver(driverOptions(endpoint)).classify(error)).toMatchObject({
      scope: 'call',
      transient: true,
    })
  })

  test('because the server knows no TLS is refused for good', async () => {
    const server = await fakeServer()
    const tls = { mode: 'verify-full', options: {} } as const
    await expect(open(server.node(1).endpoint, never, { tls })).rejects.toMatchObject({ code: 'refused' })
  })

  test('over a statement of the session ends the connection and says which server refused it', async () => {
    const server = await fakeServer()
    const dial = open(server.node(1).endpoint, never, { session: { initSql: ['SELECT nonsense FROM'] } })
    await expect(dial).rejects.toThrow(/^127\.0\.0\.1:\d+: the session could not be set up: /)
    await expect.poll(() => server.connections).toBe(0)
  })

  test.each(['reset', 'end'] as const)('by a cut in the login (%s) can be tried elsewhere', async (how) => {
    const server = await fakeServer()
    server.script({ when: { command: 'log-in' }, do: 'cut', how })
    await expect(open(server.node(1).endpoint)).rejects.toMatchObject({
      code: 'unreachable',
      retryable: true,
    })
  })

  test('because nobody gives the password can be tried again', async () => {
    const server = await fakeServer()
    const { endpoint } = server.node(1)
    const options = {
      ...driverOptions(endpoint),
      password: () => Promise.reject(new Error('the vault is closed')),
    }
    const dial = mariadbDriver(options).open(endpoint, never)
    await expect(dial).rejects.toMatchObject({ code: 'unreachable', retryable: true })
  })

  test('never shows the password', async () => {
    const server = await fakeServer()
    const dial = open(server.node(1).endpoint, never, { password: 'a-secret' })
    const error = await dial.catch((thrown: unknown) => thrown)
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error)) + String(error)).not.toContain('a-secret')
  })

  // The driver emits an error before a listener can exist, which ends the process.
  test('by an error in one segment with the end of the login is a failed dial and nothing more', async () => {
    const server = await fakeServer()
    const relay = createServer((socket) => {
      const up = connectSocket(server.node(1).port, '127.0.0.1')
      let answers = 0
      up.on('data', (data) => socket.write(++answers === 2 ? Buffer.concat([data, killed()]) : data))
      up.on('error', () => undefined)
      socket.pipe(up)
      socket.on('error', () => undefined)
      socket.on('close', () => up.destroy())
    })
    const endpoint = await listening(relay)
    await expect(open(endpoint)).rejects.toMatchObject({ code: 'unreachable', retryable: true })
  })
})

describe('a knock', () => {
  test.each<[string, Rule]>([
    ['is full', { when: { command: 'connect' }, do: 'refuse', errno: 1040 }],
    ['refuses the login', { when: { command: 'log-in' }, do: 'refuse', errno: 1045 }],
  ])('is answered by a server that %s', async (_what, rule) => {
    const server = await fakeServer()
    server.script(rule)
    const { endpoint } = server.node(1)
    await mariadbDriver(driverOptions(endpoint)).probeEndpoint(endpoint, never)
    await expect.poll(() => server.connections).toBe(0)
  })

  test('logs in and leaves in good order, so that no server counts it as a broken handshake', async () => {
    const server = await fakeServer()
    const { endpoint } = server.node(1)
    await mariadbDriver(driverOptions(endpoint)).probeEndpoint(endpoint, never)
    await server.log.until({ command: 'quit' })
    expect(server.log.entries().map((entry) => entry.command)).toEqual(['connect', 'log-in', 'quit'])
  })

  test.each([
    ['the same server', 1, 'same-server'],
    ['another server behind the same address', 2, 'another-server'],
  ] as const)('tells %s by its identity', async (_what, answering, answer) => {
    const galera = await startFakeGalera()
    ends.push(() => galera.close())
    const { port } = galera.node(1).endpoint
    let target = port
    const endpoint = await listening(
      createServer((client) => {
        const server = connectSocket(target, '127.0.0.1')
        for (const socket of [client, server]) socket.on('error', () => undefined)
        client.pipe(server).pipe(client)
      }),
    )
    const driver = mariadbDriver(driverOptions(endpoint))
    const connection = await driver.open(endpoint, never)
    target = galera.node(answering).endpoint.port
    expect(await driver.probeEndpoint(endpoint, never, connection)).toBe(answer)
    connection.destroy()
  })
})

// Handshake v10 of a server that takes TLS: SSL, PROTOCOL_41, SECURE_CONNECTION and PLUGIN_AUTH among its capabilities.
function greetingWithTls(): Buffer {
  const capabilities = 0x0008_8a00
  const lower = Buffer.alloc(2)
  lower.writeUInt16LE(capabilities & 0xffff)
  const upper = Buffer.alloc(2)
  upper.writeUInt16LE(capabilities >>> 16)
  const seed = Buffer.alloc(20, 0x41)
  const body = Buffer.concat([
    Buffer.from('\x0a10.11.19-MariaDB\0\x01\0\0\0', 'latin1'),
    seed.subarray(0, 8),
    Buffer.from([0]),
    lower,
    Buffer.from([45, 2, 0]),
    upper,
    Buffer.from([21]),
    Buffer.alloc(10),
    seed.subarray(8),
    Buffer.from('\0mysql_native_password\0', 'latin1'),
  ])
  return Buffer.concat([Buffer.from([body.length, 0, 0, 0]), body])
}

// An unsolicited error packet: 1927, sent by a server that ends a session.
function killed(): Buffer {
  const body = Buffer.concat([Buffer.from([0xff, 0x87, 0x07]), Buffer.from('#08S01Connection was killed')])
  return Buffer.concat([Buffer.from([body.length, 0, 0, 0]), body])
}
