import { expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { type ClientHarness, openClientHarness, settledWithin } from '../client-harness.ts'

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    (value) => value,
    (error: unknown) => error,
  )

// More than four MiB of names.
async function withManyChildren(harness: ClientHarness, zk: Zookeeper): Promise<void> {
  await settledWithin(harness.clock, 1_000, zk.create('/big'))
  for (let n = 0; n < 4_500; n += 500) {
    const paths = Array.from({ length: 500 }, (_, i) => `/big/${'c'.repeat(1_000)}${n + i}`)
    await settledWithin(harness.clock, 1_000, zk.multi(paths.map((path) => ({ kind: 'create', path }))))
  }
}

it('a read whose answer is too large fails alone: the connection stands, and others are answered', async () => {
  await using harness = await openClientHarness()
  const { clock } = harness
  const zk = harness.client()
  await settledWithin(clock, 1_000, zk.ready())
  await withManyChildren(harness, zk)
  let failovers = 0
  zk.events.on('failover', () => {
    failovers += 1
  })
  const reading = failure(zk.children('/big'))
  const writing = zk.set('/big', 'x')

  expect(await settledWithin(clock, 10_000, reading)).toMatchObject({
    code: 'too-large',
    outcome: 'not-done',
    retryable: false,
    path: '/big',
    message: expect.stringContaining('4198400'),
  })
  expect(await settledWithin(clock, 1_000, writing)).toMatchObject({ version: 1 })
  expect({ failovers, state: zk.state }).toEqual({ failovers: 0, state: 'connected' })
})

it('a watch whose read is too large ends, and does not ask for ever', async () => {
  await using harness = await openClientHarness()
  const { clock } = harness
  const zk = harness.client()
  await settledWithin(clock, 1_000, zk.ready())
  await withManyChildren(harness, zk)

  const watching = failure(zk.watch('/big', { kind: 'children' }).next())
  expect(await settledWithin(clock, 5_000, watching)).toMatchObject({ code: 'too-large', path: '/big' })
})

it('a multi that no server takes in one piece is not sent, and nobody loses the connection', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const zk = harness.client()
  await settledWithin(clock, 1_000, zk.ready())
  ensemble.log.clear()
  const data = 'x'.repeat(600_000)
  const multi = zk.multi([
    { kind: 'set', path: '/a', data },
    { kind: 'set', path: '/b', data },
  ])

  expect(await settledWithin(clock, 1_000, failure(multi))).toMatchObject({
    code: 'too-large',
    outcome: 'not-done',
    retryable: false,
    path: '/a',
    message: expect.stringContaining('1048575'),
  })
  expect({ state: zk.state, sent: ensemble.log.count({ op: 'multi' }) }).toEqual({
    state: 'connected',
    sent: 0,
  })
})
