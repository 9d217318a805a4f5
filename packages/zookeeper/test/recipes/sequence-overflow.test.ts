import { expect, it } from 'vitest'
import { openClientHarness, settledWithin } from '../client-harness.ts'

const last = 2_147_483_647

it.each([last - 1, -2, -1])('a lock is granted in order while the numbers pass %i', async (firstSequence) => {
  await using harness = await openClientHarness({ firstSequence })
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 8_000, work)
  const order: number[] = []
  const clients = Array.from({ length: 5 }, () => harness.client())
  const running: Promise<void>[] = []
  for (const [n, zk] of clients.entries()) {
    running.push(
      zk.lock('/l').run(
        async () => {
          order.push(n)
          await harness.clock.sleep(100)
        },
        { timeoutMs: 8_000 },
      ),
    )
    await harness.clock.advance(20)
  }
  await within(Promise.all(running))

  expect(order).toEqual([0, 1, 2, 3, 4])
})

it('a sequential ephemeral is found and made again while the numbers overflow', async () => {
  await using harness = await openClientHarness({ firstSequence: last })
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 8_000, work)
  const zk = harness.client()
  await within(zk.create('/q'))
  const ephemeral = zk.ephemeral('/q/place-', 'x', { sequential: true })
  await within(ephemeral.ready())
  expect(ephemeral.path).toMatch(/2147483647$/)
  await within(harness.client().delete(ephemeral.path))
  await harness.clock.advance(2_000)

  expect(ephemeral.state).toMatchObject({ kind: 'held', path: expect.stringMatching(/--2147483648$/) })
  const created = await within(zk.create('/q/n-', '', { sequential: true }))
  expect(created.path).toMatch(/n--2147483647$/)
})
