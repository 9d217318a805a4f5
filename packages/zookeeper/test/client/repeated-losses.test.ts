import { expect, it } from 'vitest'
import { openClientHarness, settledWithin } from '../client-harness.ts'

it('a read that loses its connection each time is given up after a few, and the others are answered', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const zk = harness.client()
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(clock, 10_000, work)
  await within(zk.create('/bad'))
  await within(zk.create('/good'))
  let lost = 0
  zk.events.on('state', ({ state }) => {
    if (state === 'suspended') lost += 1
  })
  ensemble.script({ when: { op: 'get-data', path: '/bad' }, do: 'cut', how: 'end' })
  const innocent: Promise<unknown>[] = []
  const reading = (async () => {
    for (let n = 0; n < 100; n++) {
      innocent.push(zk.get('/good'))
      await clock.sleep(10)
    }
  })()

  await expect(within(zk.get('/bad'))).rejects.toMatchObject({
    code: 'lost',
    outcome: 'not-done',
    message: expect.stringMatching(
      /4 connections ended before the reply, in the end with no other request on them/,
    ),
  })
  await within(reading)
  expect(await within(Promise.allSettled(innocent))).not.toContainEqual(
    expect.objectContaining({ status: 'rejected' }),
  )
  expect(lost).toBe(4)
})

it('a repeatable write that loses its connection each time is given up with an unknown outcome', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const zk = harness.client()
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(clock, 10_000, work)
  await within(zk.create('/bad'))
  ensemble.script({ when: { op: 'set-data', path: '/bad' }, do: 'cut', how: 'end' })

  await expect(within(zk.set('/bad', 'x', { repeatable: true }))).rejects.toMatchObject({
    code: 'lost',
    outcome: 'unknown',
  })
})

it('a cache over a node that ends each connection reads it less and less often', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const zk = harness.client()
  await settledWithin(clock, 1_000, zk.create('/bad'))
  ensemble.script({ when: { op: 'get-data', path: '/bad' }, do: 'cut', how: 'end' })
  zk.cache('/bad')
  await clock.advance(300_000)

  expect(ensemble.log.entries({ op: 'get-data', path: '/bad' }).length).toBeLessThan(80)
})

it('a write with a version that loses its connection each time is given up as not done', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const zk = harness.client()
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(clock, 10_000, work)
  await within(zk.create('/bad'))
  ensemble.script({ when: { op: 'set-data', path: '/bad' }, do: 'cut', how: 'end' })

  await expect(within(zk.set('/bad', 'x', { version: 0, timeoutMs: 10_000 }))).rejects.toMatchObject({
    outcome: 'not-done',
    message: expect.stringMatching(/ended at each of 4 attempts, and it was not done/),
  })
  expect(ensemble.log.entries({ op: 'set-data' })).toHaveLength(4)
})
