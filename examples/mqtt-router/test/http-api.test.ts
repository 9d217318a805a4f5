import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHttpApi } from '../src/router/http-api.ts'
import type { Mailbox } from '../src/router/mailbox.ts'
import type { MessageDelivery } from '../src/router/message-delivery.ts'

const sent: unknown[] = []
const delivery = {
  send: async (user: string, message: unknown) => {
    sent.push([user, message])
    return 'delivered'
  },
} as unknown as MessageDelivery
const mailbox = { users: async () => ['alice'], list: async () => [1, 2] } as unknown as Mailbox
let server: ReturnType<typeof createHttpApi>

beforeEach(async () => {
  sent.length = 0
  server = createHttpApi(delivery, mailbox)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => void server.close())

const request = (path: string, init?: RequestInit): Promise<Response> =>
  fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, init)

test('a message goes to its user', async () => {
  const answer = await request('/users/al%20ice/messages/17', { method: 'PUT', body: 'hello' })

  expect([answer.status, await answer.json()]).toEqual([200, { outcome: 'delivered' }])
  expect(sent).toEqual([['al ice', { id: '17', text: 'hello' }]])
})

test('what waits is counted', async () => {
  expect(await (await request('/mailboxes')).json()).toEqual({ alice: 2 })
})

test.each([
  [404, '/elsewhere', 'hello'],
  [400, '/users/%zz/messages/1', 'hello'],
  [413, '/users/alice/messages/1', 'x'.repeat(300_000)],
])('%i is the answer to %s', async (status, path, body) => {
  expect((await request(path, { method: 'PUT', body })).status).toBe(status)
  expect(sent).toEqual([])
})
