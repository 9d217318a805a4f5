import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ListeningPort, type ServerSocket } from '../../src/server/sockets.ts'

let accepted: ServerSocket[]
let port: ListeningPort
let clients: Socket[]

beforeEach(() => {
  accepted = []
  clients = []
  port = new ListeningPort('127.0.0.1', (socket) => accepted.push(socket))
})

afterEach(async () => {
  for (const client of clients) client.destroy()
  await port.drain()
})

async function newClient(): Promise<Socket> {
  const client = connect(port.port, '127.0.0.1')
  clients.push(client)
  await once(client, 'connect')
  return client
}

describe('a kept port', () => {
  it('is the same when it is opened again', async () => {
    await port.open()
    const first = port.port
    await port.close()
    await port.open()

    expect(port.port).toBe(first)
    await newClient()
  })

  it('refuses when it is closed, and who is inside stays', async () => {
    await port.open()
    const inside = await newClient()
    await port.close()

    await expect(newClient()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(inside.destroyed).toBe(false)
  })

  it('is vacated when the last one has left', async () => {
    await port.open()
    const inside = await newClient()
    let isEmpty = false
    const empty = port.drain().then(() => {
      isEmpty = true
    })
    await expect(newClient()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(isEmpty).toBe(false)

    inside.on('error', () => undefined)
    for (const socket of accepted) socket.reset()
    await empty

    expect(isEmpty).toBe(true)
  })

  it('resets a client behind what it was told', async () => {
    await port.open()
    const client = await newClient()
    const heard: string[] = []
    client.on('data', (bytes) => heard.push(bytes.toString()))
    const failed = once(client, 'error').catch((error: NodeJS.ErrnoException) => [error])
    const [socket] = accepted
    socket?.stream.write('hello')
    socket?.resetAfterRead()

    await expect(failed).resolves.toMatchObject([{ code: 'ECONNRESET' }])
    expect(heard).toEqual(['hello'])
  })
})
