import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { requestTimeoutMs, sendRequest } from '../../src/client/supervisor-client.ts'

let folder: string
let server: Server
let lock: Parameters<typeof sendRequest>[0]

// A supervisor that accepts and hangs.
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hactl-call-'))
  const socket = join(folder, 's')
  lock = { socket, supervisor: { pid: 4711, startTicks: '1', bootId: 'b' } }
  server = createServer(() => undefined)
  await new Promise<void>((resolve) => server.listen(socket, resolve))
})
afterEach(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

test('a supervisor that says nothing is named when the time is up, with what to type', async () => {
  const asking = sendRequest(lock, { verb: 'down' }, {}, 50)

  await expect(asking).rejects.toMatchObject({ code: 'timed-out' })
  await expect(asking).rejects.toThrow("pid 4711, did not answer 'down' within 50 ms; run: kill -9 4711")
})

test('the caller’s signal ends a call at once, with its reason', async () => {
  const interrupt = new AbortController()
  const asking = sendRequest(lock, { verb: 'status' }, { signal: interrupt.signal })

  interrupt.abort(new Error('enough'))

  await expect(asking).rejects.toThrow('enough')
})

test('a supervisor that is not there any more is lost, not refused', async () => {
  const gone = { ...lock, socket: `${lock.socket}-gone` }

  await expect(sendRequest(gone, { verb: 'status' })).rejects.toMatchObject({
    code: 'supervisor-lost',
    cause: { code: 'ENOENT' },
  })
})

test('every verb but those that wait for events has an end', () => {
  const node = 'rabbit1'
  const fault = { verb: 'fault', action: 'stop', node, forMs: 1 } as const

  expect(requestTimeoutMs({ verb: 'ready', timeoutMs: 60_000 })).toBeGreaterThan(60_000)
  for (const request of [{ verb: 'status' }, { verb: 'down' }, { verb: 'resume', node }, fault] as const) {
    expect(requestTimeoutMs(request)).toBeLessThanOrEqual(180_000)
  }
  expect(requestTimeoutMs({ verb: 'follow' })).toBeUndefined()
})
