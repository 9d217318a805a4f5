import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { deferred } from '@ha/core/driver'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ClientConnection, startControlServer } from '../../src/supervisor/control-server.ts'

let folder: string
let path: string
let server: Server
let uncaught: unknown[]
let answer: (talk: ClientConnection) => Promise<unknown>
const note = (error: unknown): void => void uncaught.push(error)

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hactl-serve-'))
  path = join(folder, 's')
  uncaught = []
  process.on('uncaughtException', note)
  server = await startControlServer({ answer: (_request, talk) => answer(talk) }, path)
})
afterEach(() => {
  server.close()
  process.off('uncaughtException', note)
  rmSync(folder, { recursive: true })
})

function asking(): Socket {
  const client = connect(path)
  client.write('{"verb":"status"}\n')
  return client
}

test('a client that is killed before it has read its answer ends nothing but its own connection', async () => {
  let client: Socket
  // In the turn in which the answer is written: the kernel still has it when the client goes.
  answer = async () => void setImmediate(() => client.destroy())
  for (let i = 0; i < 20; i++) {
    client = asking()
    await once(client, 'close')
  }
  answer = async () => 'well'

  expect(await text(asking())).toBe('{"result":"well"}\n')
  expect(uncaught).toEqual([])
})

test('a wait ends when the client that asked for it leaves', async () => {
  const begun = deferred<ClientConnection>()
  answer = (talk) => {
    begun.resolve(talk)
    return new Promise(() => undefined)
  }
  const client = asking()
  const { signal } = await begun.promise
  client.destroy()
  await once(signal, 'abort')

  expect(signal.reason).toEqual(new Error('the client has left'))
})
