import dns from 'node:dns'
import { type AddressInfo, createServer, isIP, type Server, type Socket } from 'node:net'
import { connectSocket, probeEndpoint } from '@ha/core/driver'
import { afterEach, expect, it, vi } from 'vitest'

type Answer = (error: null, found: readonly { readonly address: string; readonly family: number }[]) => void

const addresses: string[] = []

const lookup = dns.lookup
vi.spyOn(dns, 'lookup').mockImplementation(((host: string, options: object, done: Answer) => {
  // Node looks up the address of a server that begins to listen, too.
  if (isIP(host) !== 0) lookup(host, options, done as never)
  else
    done(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    )
}) as never)

const servers: Server[] = []
const sockets: Socket[] = []

async function listen(host: string, port: number, onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(port, host, resolve))
  return (server.address() as AddressInfo).port
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))))
})

const never = new AbortController().signal
const probe = { tls: undefined, request: 'srvr', endIsAnswer: false }
const answer = (socket: Socket): void => {
  socket.on('data', () => socket.write('ok'))
}
const silent = (socket: Socket): void => {
  socket.resume()
}

it('connects, and leaves nothing open when the signal fires', async () => {
  const port = await listen('127.0.0.1', 0, silent)
  const socket = await connectSocket({ host: '127.0.0.1', port }, undefined, never)
  expect(socket.readyState).toBe('open')
  socket.destroy()
  const aborted = AbortSignal.abort(new Error('enough'))
  await expect(connectSocket({ host: '127.0.0.1', port }, undefined, aborted)).rejects.toThrow('enough')
})

it('rejects with the code of the system when nothing listens', async () => {
  await expect(connectSocket({ host: '127.0.0.1', port: 1 }, undefined, never)).rejects.toMatchObject({
    code: 'ECONNREFUSED',
  })
})

it('finds the one address of a name that answers, and closes all connections', async () => {
  const port = await listen('127.0.0.1', 0, silent)
  await listen('127.0.0.2', port, answer)
  addresses.splice(0, 3, '127.0.0.1', '127.0.0.3', '127.0.0.2')
  await probeEndpoint({ host: 'server', port }, probe, never)
  await vi.waitFor(() =>
    expect(sockets.every((socket) => socket.destroyed || socket.readableEnded)).toBe(true),
  )
})

it('says for every address why it has not answered', async () => {
  const port = await listen('127.0.0.1', 0, (socket) => socket.resume().end())
  addresses.splice(0, 3, '127.0.0.1', '127.0.0.3')
  const probing = probeEndpoint({ host: 'server', port }, probe, never)
  await expect(probing).rejects.toMatchObject({
    code: 'unreachable',
    endpoint: `server:${port}`,
    message: `server:${port}: the server closed the connection without an answer; connect ECONNREFUSED 127.0.0.3:${port}`,
  })
})

it('takes the end of the connection as an answer where the protocol allows it', async () => {
  const port = await listen('127.0.0.1', 0, (socket) => socket.resume().end())
  await probeEndpoint({ host: '127.0.0.1', port }, { ...probe, endIsAnswer: true }, never)
})

it('ends with the reason of the signal', async () => {
  const port = await listen('127.0.0.1', 0, silent)
  const abort = new AbortController()
  const probing = probeEndpoint({ host: '127.0.0.1', port }, probe, abort.signal)
  await vi.waitFor(() => expect(sockets).toHaveLength(1))
  abort.abort(new Error('enough'))
  await expect(probing).rejects.toThrow('enough')
})
