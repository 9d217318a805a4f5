import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { isHaError } from '@ha/core'
import { asError } from '@ha/core/driver'
import type { Reply, Request } from '../lab/protocol.ts'
import type { Supervisor } from './supervisor.ts'

/** Serves a supervisor on a unix socket that only its user may open. */
export function serve(supervisor: Pick<Supervisor, 'answer'>, path: string): Promise<Server> {
  const server = createServer((socket) => {
    handleConnection(supervisor, socket).catch((error: unknown) => socket.destroy(asError(error)))
  })
  // Only a supervisor that is gone can have left this: the lab is ours.
  rmSync(path, { force: true })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      chmodSync(path, 0o600)
      resolve(server)
    })
  })
}

async function handleConnection(supervisor: Pick<Supervisor, 'answer'>, socket: Socket): Promise<void> {
  const left = new AbortController()
  socket.on('error', () => socket.destroy())
  socket.once('close', () => left.abort(new Error('the client has left')))
  const send = (reply: Reply): void => {
    if (socket.writable) socket.write(`${JSON.stringify(reply)}\n`)
  }
  const request = await firstLine(socket)
  if (request === undefined) return
  try {
    const result = await supervisor.answer(request, { send: (event) => send({ event }), signal: left.signal })
    send({ result: result ?? null })
  } catch (thrown) {
    const error = asError(thrown)
    send({ error: { code: isHaError(error) ? error.code : 'internal', message: error.message } })
  }
  socket.end()
}

async function firstLine(socket: Socket): Promise<Request | undefined> {
  const lines = createInterface({ input: socket })
  try {
    for await (const line of lines) return JSON.parse(line)
    return undefined
  } finally {
    // Left open, it would throw the end of a client that was killed at everybody. The socket goes on being read: so it
    // notices that the client leaves.
    lines.close()
    socket.resume()
  }
}
