import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { callSupervisor, isRepeatable } from '../../src/client/supervisor-client.ts'
import { identify } from '../../src/machine/process-table.ts'

let folder: string
let servers: Server[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hactl-ask-'))
  mkdirSync(join(folder, 'supervisor'))
  writeFileSync(join(folder, 'plan.json'), '{"schema":"ha-plan/v1"}')
  servers = []
})
afterEach(() => {
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true })
})

// What holds the lab under this term, and what it does with whoever asks.
const hold = async (term: number, pid: number, onRequest: (socket: Socket) => void): Promise<void> => {
  const path = join(folder, `s${term}`)
  const server = createServer((socket) => socket.once('data', () => onRequest(socket)))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const lock = { term, supervisor: identify(pid), socket: path }
  writeFileSync(join(folder, 'supervisor', String(term)), JSON.stringify(lock))
}
const answer = (socket: Socket): void => void socket.end('{"result":"well"}\n')

// The first supervisor is killed while it is asked, and the second is there before anybody looks again.
const killedWhileAsked = async (): Promise<void> => {
  const first = spawn('sleep', ['60'])
  await once(first, 'spawn')
  await hold(1, first.pid ?? 0, (socket) => {
    socket.destroy()
    void hold(2, process.pid, answer).finally(() => first.kill('SIGKILL'))
  })
}

test('a supervisor that dies while it is asked is replaced, and the next one asked', async () => {
  await killedWhileAsked()

  expect(await callSupervisor(folder, { verb: 'status' })).toBe('well')
})

test('what would happen twice is not asked again', async () => {
  await killedWhileAsked()

  await expect(callSupervisor(folder, { verb: 'restart', node: 'rabbit1' })).rejects.toMatchObject({
    code: 'supervisor-lost',
  })
})

test('to end, to heal and to look can be repeated; to break cannot', () => {
  const node = 'rabbit1'

  expect(isRepeatable({ verb: 'down' })).toBe(true)
  expect(isRepeatable({ verb: 'resume', node })).toBe(true)
  expect(isRepeatable({ verb: 'fault', action: 'kill', node, forMs: 1 })).toBe(false)
})
