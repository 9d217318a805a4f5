import { expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { type ClientHarness, openClientHarness, settledWithin } from '../client-harness.ts'

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    (value) => value,
    (error: unknown) => error,
  )

async function withChildren(harness: ClientHarness, zk: Zookeeper, count: number): Promise<void> {
  const paths = Array.from({ length: count }, (_, n) => `/a/${n}`)
  await settledWithin(harness.clock, 1_000, zk.create('/a'))
  await settledWithin(harness.clock, 1_000, zk.multi(paths.map((path) => ({ kind: 'create', path }))))
}

it('a recursive delete that fails half way says that some of it is done, what failed, and where', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const zk = harness.client()
  await withChildren(harness, zk, 5)
  ensemble.script({ when: { op: 'delete', path: '/a/3' }, do: 'refuse', code: -102 })

  const error = await settledWithin(clock, 1_000, failure(zk.delete('/a', { recursive: true })))

  expect(error).toMatchObject({ code: 'no-auth', outcome: 'unknown', path: '/a/3' })
  expect(error).toMatchObject({
    message: expect.stringContaining('delete /a: 3 nodes were deleted'),
    cause: { code: 'no-auth' },
  })
})

it('a recursive delete that fails before anything is deleted has not happened', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const zk = harness.client()
  await withChildren(harness, zk, 5)
  ensemble.script({ when: { op: 'delete' }, do: 'refuse', code: -102 })

  const error = await settledWithin(clock, 1_000, failure(zk.delete('/a', { recursive: true })))

  expect(error).toMatchObject({ code: 'no-auth', outcome: 'not-done', path: '/a/0' })
})

it('a recursive delete ends at its deadline, also when each of its steps is fast', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const zk = harness.client()
  await withChildren(harness, zk, 500)
  ensemble.script({ when: { op: 'delete' }, do: 'delay', delayMs: 0.5 })
  const fromMs = clock.now()

  const error = await settledWithin(
    clock,
    1_000,
    failure(zk.delete('/a', { recursive: true, timeoutMs: 20 })),
  )

  expect(error).toMatchObject({ code: 'timed-out', outcome: 'unknown', retryable: true })
  expect(clock.now() - fromMs).toBeLessThanOrEqual(30)
})

it('a recursive delete whose last answer was lost has deleted the node', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const zk = harness.client()
  await withChildren(harness, zk, 2)
  ensemble.script({ when: { op: 'delete', path: '/a', times: 1 }, do: 'cut', how: 'reset', at: 'unanswered' })

  expect(await settledWithin(clock, 2_000, failure(zk.delete('/a', { recursive: true })))).toBe(true)
})

it.each([
  ['', '/'],
  ['', '/zookeeper'],
  ['/zookeeper', '/'],
  ['/zookeeper', '/quota'],
])(
  'a node that the servers keep is refused before anything below it is deleted: %j%j',
  async (chroot, path) => {
    await using harness = await openClientHarness()
    const { clock, ensemble } = harness
    const zk = harness.client({ connect: `${harness.ensemble.connectString}${chroot}` })

    const attempts = [
      () => zk.delete(path, { recursive: true }),
      () => zk.delete(path),
      () => zk.multi([{ kind: 'delete', path }]),
    ]
    for (const attempt of attempts) {
      expect(await settledWithin(clock, 1_000, failure(attempt()))).toMatchObject({
        code: 'invalid-path',
        outcome: 'not-done',
        message: expect.stringContaining('the servers do not delete /'),
      })
    }
    expect(ensemble.log.count({ op: 'delete' })).toBe(0)
  },
)

it('the chroot itself can be deleted with everything below it', async () => {
  await using harness = await openClientHarness()
  const { clock } = harness
  await withChildren(harness, harness.client(), 3)
  const zk = harness.client({ connect: `${harness.ensemble.connectString}/a` })

  expect(await settledWithin(clock, 1_000, zk.delete('/', { recursive: true }))).toBe(true)
})
