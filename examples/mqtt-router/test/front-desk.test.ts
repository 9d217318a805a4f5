import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { frontDesk } from '../src/router/front-desk.ts'
import type { Mailbox } from '../src/router/mailbox.ts'
import type { PostOffice } from '../src/router/post-office.ts'

const sent: unknown[] = []
const office = {
  send: async (user: string, message: unknown) => {
    sent.push([user, message])
    return 'delivered'
  },
} as unknown as PostOffice
const mailbox = { users: async () => ['alice'], list: async () => [1, 2] } as unknown as Mailbox
let server: ReturnType<typeof frontDesk>

beforeEach(async () => {
  sent.length = 0
  server = frontDesk(office, mailbox)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => void server.close())

const ask = (path: string, init?: RequestInit): Promise<Response> =>
  fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, init)

test('a message goes to its user', async () => {
  const answer = await ask('/users/al%20ice/messages/17', { method: 'PUT', body: 'hello' })

  expect([answer.status, await answer.json()]).toEqual([200, { fate: 'delivered' }])
  expect(sent).toEqual([['al ice', { id: '17', text: 'hello' }]])
})

test('what waits is counted', async () => {
  expect(await (await ask('/mailboxes')).json()).toEqual({ alice: 2 })
})

test.each([
  [404, '/elsewhere', 'hello'],
  [400, '/users/%zz/messages/1', 'hello'],
  [413, '/users/alice/messages/1', 'x'.repeat(300_000)],
])('%i is the answer to %s', async (status, path, body) => {
  expect((await ask(path, { method: 'PUT', body })).status).toBe(status)
  expect(sent).toEqual([])
})
