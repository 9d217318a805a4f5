import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import type { Endpoint } from '@ha/core'
import { closed } from './sockets.ts'

/** A port whose connection queue is full and that nobody accepts from. */
export interface StalledPort {
  /** Gives the port free. Clients in the queue are reset; those that wait for an answer go on waiting. */
  end(): Promise<void>
}

// Node accepts whatever its event loop sees, so this listener's loop stands still, in a thread of its own. It is text
// because a worker's file would need another name in the sources than in the built package.
const listener = `
const { parentPort, workerData } = require('node:worker_threads')
const server = require('node:net').createServer()
server.listen({ ...workerData.at, backlog: 1 }, () => {
  parentPort.postMessage('listening')
  Atomics.wait(workerData.hold, 0, 0)
  server.close()
})`
// Linux lets one connection more into the queue than its length, which is 1.
const queued = 2

/** Takes the port, which must be free, and fills its queue. */
export async function stallPort(at: Endpoint): Promise<StalledPort> {
  const hold = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(listener, { eval: true, workerData: { at, hold } })
  await once(worker, 'message')
  const fillers: Socket[] = []
  const end = async (): Promise<void> => {
    for (const filler of fillers) filler.destroy()
    const gone = Promise.all([once(worker, 'exit'), ...fillers.map(closed)])
    Atomics.store(hold, 0, 1)
    Atomics.notify(hold, 0)
    await gone
  }
  try {
    while (fillers.length < queued) fillers.push(await fill(at))
  } catch (error) {
    await end()
    throw error
  }
  return { end }
}

async function fill(at: Endpoint): Promise<Socket> {
  const socket = connect(at.port, at.host)
  await once(socket, 'connect')
  // Its end is no news: it was never accepted.
  socket.on('error', () => undefined)
  return socket
}
