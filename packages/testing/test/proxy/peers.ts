import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { Endpoint } from '@ha/core'
import { onTestFinished } from 'vitest'
import {
  type FaultProxy,
  type FaultProxyOptions,
  faultProxy,
  type ProxyConnection,
} from '../../src/proxy/index.ts'

/** One end of a conversation, with all it has heard. */
export class Peer {
  readonly socket: Socket
  readonly chunks: Buffer[] = []
  /** How the other side ended: `end`, or the code of the error. */
  ending: string | undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.chunks.push(chunk))
    socket.on('end', () => {
      this.ending ??= 'end'
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.ending ??= error.code
    })
    onTestFinished(() => {
      socket.destroy()
    })
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString()
  }

  say(text: string): void {
    this.socket.write(text)
  }

  hears(text: string): Promise<void> {
    return until(() => this.text === text)
  }

  ends(): Promise<string | undefined> {
    return until(() => this.ending !== undefined).then(() => this.ending)
  }
}

/** A server that greets and says nothing else by itself; `peers` are those who called. */
export async function startServer(
  greeting = '',
): Promise<{ readonly endpoint: Endpoint; readonly peers: Peer[] }> {
  const peers: Peer[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const peer = new Peer(socket)
    peers.push(peer)
    peer.say(greeting)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return { endpoint: { host: '127.0.0.1', port: address.port }, peers }
}

/** A proxy that is closed after the test. */
export async function startProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = await faultProxy(options)
  onTestFinished(() => proxy.close())
  return proxy
}

/** A client that has begun to call. */
export function dial(endpoint: Endpoint): Peer {
  return new Peer(connect({ host: endpoint.host, port: endpoint.port, allowHalfOpen: true }))
}

export interface Line {
  readonly proxy: FaultProxy
  readonly connection: ProxyConnection
  readonly client: Peer
  readonly server: Peer
}

/** A client and a server that talk through a proxy. */
export async function line(options: Partial<FaultProxyOptions> = {}): Promise<Line> {
  const { endpoint, peers } = await startServer()
  const proxy = await startProxy({ to: endpoint, ...options })
  const client = dial(proxy.endpoint)
  await until(() => peers.length === 1)
  return { proxy, connection: proxy.connections[0]!, client, server: peers[0]! }
}

/** Lets the event loop turn until the number has stopped growing. */
export async function stands(read: () => number): Promise<number> {
  let seen = read()
  for (let still = 0; still < 50; still++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (read() !== seen) still = 0
    seen = read()
  }
  return seen
}

/** Lets the event loop turn until it is so; the time limit of the test is the limit. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}
