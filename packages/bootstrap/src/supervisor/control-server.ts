import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { isHaError } from '@ha/core'
import { asError, deferred } from '@ha/core/driver'
import type { ControlReply, ControlRequest } from '../lab/control-protocol.ts'
import type { RecordedEvent } from '../lab/events.ts'
import type { Journal } from '../lab/journal.ts'
import { type BootstrapCode, labError } from '../model/errors.ts'

/** The client of one request, while the request is under way. */
export interface ClientConnection {
  send(event: RecordedEvent): void
  /** Aborted when the client has left. */
  readonly signal: AbortSignal
}

/** Answers the requests of clients; a supervisor is one. */
export interface RequestHandler {
  answer(request: ControlRequest, client: ClientConnection): Promise<unknown>
}

/** Serves a supervisor on a unix socket that only its user may open. */
export function startControlServer(supervisor: RequestHandler, path: string): Promise<Server> {
  const server = createServer((socket) => {
    handleConnection(supervisor, socket).catch((error: unknown) => socket.destroy(asError(error)))
  })
  // This supervisor holds the lock of the lab, so the file is left over from one that has ended.
  rmSync(path, { force: true })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      chmodSync(path, 0o600)
      resolve(server)
    })
  })
}

async function handleConnection(supervisor: RequestHandler, socket: Socket): Promise<void> {
  const left = new AbortController()
  socket.on('error', () => socket.destroy())
  socket.once('close', () => left.abort(new Error('the client has left')))
  const send = (reply: ControlReply): void => {
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

async function firstLine(socket: Socket): Promise<ControlRequest | undefined> {
  const lines = createInterface({ input: socket })
  try {
    for await (const line of lines) return JSON.parse(line)
    return undefined
  } finally {
    // An open line reader would raise the reset of a killed client as an uncaught error. The socket is read on, so that
    // the departure of the client is noticed.
    lines.close()
    socket.resume()
  }
}

/** Sends all events of the journal to the client, then new ones until the last; rejects when the last is a failure. */
export async function followJournal(
  journal: Journal,
  client: ClientConnection,
  isLast: (event: RecordedEvent) => boolean,
): Promise<void> {
  const last = deferred<RecordedEvent>()
  const forward = (event: RecordedEvent): void => {
    client.send(event)
    if (isLast(event)) last.resolve(event)
  }
  for (const event of journal.events) forward(event)
  const off = journal.onEvent(forward)
  const leave = (): void => last.reject(client.signal.reason)
  client.signal.addEventListener('abort', leave, { once: true })
  try {
    const event = await last.promise
    if (event.type === 'failed') throw labError(event.code as BootstrapCode, event.message)
  } finally {
    off()
    client.signal.removeEventListener('abort', leave)
  }
}

/** Sends the events of the journal to the client while the work is in progress. */
export async function streamEventsDuring<T>(
  journal: Journal,
  client: ClientConnection,
  work: () => Promise<T>,
): Promise<T> {
  const off = journal.onEvent((event) => client.send(event))
  try {
    return await work()
  } finally {
    off()
  }
}
