import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { quorum } from '../../src/index.ts'
import { startHarness } from './harness.ts'

const require = createRequire(import.meta.url)
// Not exported by the package; it is the module that the package loads.
const { ConfirmChannel } = require(join(dirname(require.resolve('amqplib')), 'lib/channel_model.js'))
const original = ConfirmChannel.prototype.publish

const context = new AsyncLocalStorage<string>()
let seen: [id: string, store: string | undefined][]

// What an instrumentation does: it wraps the driver's publish, and looks in which context it runs.
beforeEach(() => {
  seen = []
  ConfirmChannel.prototype.publish = function publish(...args: unknown[]) {
    const { messageId } = args[3] as { messageId: string }
    seen.push([messageId, context.getStore()])
    return original.apply(this, args)
  }
})
afterEach(() => {
  ConfirmChannel.prototype.publish = original
})

async function start(maxMessages: number) {
  const harness = await startHarness({ topology: { queues: { q: quorum() } }, outbox: { maxMessages } })
  await harness.rabbit.ready()
  return harness
}

const strangers = (): unknown => seen.filter(([id, store]) => store !== id)

test('messages that wait for the window are sent in the context of their callers', async () => {
  const { rabbit } = await start(60)
  const publisher = rabbit.publisher({ key: 'q', maxInFlight: 1 })
  const send = (id: string) => context.run(id, () => publisher.publish({}, { messageId: id }))
  await Promise.all(['a', 'b', 'c', 'd', 'e'].map(send))
  expect(seen).toHaveLength(5)
  expect(strangers()).toEqual([])
})

test('messages that wait for space in the buffer are sent in the context of their callers', async () => {
  const { rabbit } = await start(2)
  const publisher = rabbit.publisher({ key: 'q' })
  const ids = Array.from({ length: 50 }, (_, i) => `space ${i}`)
  await Promise.all(ids.map((id) => context.run(id, () => publisher.publish({}, { messageId: id }))))
  expect(seen).toHaveLength(50)
  expect(strangers()).toEqual([])
})

test('messages that are sent again on another node are sent in the context of their callers', async () => {
  const { rabbit, cluster } = await start(60)
  const publisher = rabbit.publisher({ key: 'q' })
  cluster.script({ when: { from: 'client', frame: 'basic.publish', node: 1 }, do: 'lose-confirm' })
  const ids = Array.from({ length: 5 }, (_, i) => `again ${i}`)
  const sent = ids.map((id) => context.run(id, () => publisher.publish({}, { messageId: id })))
  await expect.poll(() => cluster.queue('q')?.ready).toBe(5)
  await cluster.node(1).kill()
  await Promise.all(sent)
  expect(seen).toHaveLength(10)
  expect(strangers()).toEqual([])
})

test('requests, also those that are sent again, are sent in the context of their callers', async () => {
  const { rabbit, cluster } = await start(60)
  const ask = (id: string) =>
    context.run(id, () => rabbit.request('q', 1, { messageId: id, repeatable: true, timeoutMs: 5_000 }))
  const calls = Promise.allSettled(['r1', 'r2'].map(ask))
  await expect.poll(() => cluster.queue('q')?.ready).toBe(2)
  await expect.poll(() => rabbit.health().outbox.unconfirmed).toBe(0)
  await cluster.node(1).kill()
  await expect.poll(() => seen.length).toBe(4)
  expect(strangers()).toEqual([])
  rabbit.respond('q', () => 'done')
  expect((await calls).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
})
