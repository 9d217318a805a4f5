import { expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { type ClientHarness, openClientHarness, settledWithin } from '../client-harness.ts'

function defectsOf(zk: Zookeeper): string[] {
  const defects: string[] = []
  zk.events.on('defect', ({ error }) => void defects.push(error.message))
  return defects
}

const limit = { timeoutMs: 3_000 }
const within = <T>(harness: ClientHarness, work: Promise<T>): Promise<T> =>
  settledWithin(harness.clock, 10_000, work)

const nested: Readonly<Record<string, (zk: Zookeeper) => Promise<unknown>>> = {
  'a lock': (zk) => zk.lock('/l').run(() => zk.lock('/l').run(async () => 1, limit)),
  'a lock, two levels up': (zk) =>
    zk.lock('/l').run(() => zk.lock('/m').run(() => zk.lock('/l').acquire(limit))),
  'a write lock in its read lock': (zk) =>
    zk.rwLock('/l').read.run(() => zk.rwLock('/l').write.run(async () => 1, limit)),
  'a read lock in its write lock': (zk) =>
    zk.rwLock('/l').write.run(() => zk.rwLock('/l').read.run(async () => 1, limit)),
  'the last permit of a semaphore': (zk) => {
    const permits = zk.semaphore('/s', 2)
    return permits.run(() => permits.run(() => permits.run(async () => 1, limit)))
  },
}

it.each(Object.keys(nested))(
  '%s that is waited for inside itself says so at once, and in its error',
  async (name) => {
    await using harness = await openClientHarness()
    const zk = harness.client()
    const defects = defectsOf(zk)
    const work = nested[name]!(zk)
    work.catch(() => undefined)
    await harness.clock.advance(1_000)
    expect(defects).toEqual([expect.stringMatching(/waits for itself: locks are not reentrant/)])

    await expect(within(harness, work)).rejects.toMatchObject({
      code: 'timed-out',
      message: expect.stringMatching(/not acquired within 3000 ms: .* waits for itself/),
      cause: { code: 'config-invalid' },
    })
  },
)

it('a candidate inside its own leadership says so as its trouble', async () => {
  await using harness = await openClientHarness()
  const zk = harness.client()
  const defects = defectsOf(zk)
  const over = new AbortController()
  const inner = zk.election('/v', { id: 'b' })
  const running = zk
    .election('/v', { id: 'a' })
    .run(() => inner.run(async () => undefined, { signal: over.signal }), {
      signal: over.signal,
    })
  await harness.clock.advance(1_000)

  expect(inner.trouble()?.message).toMatch(/waits for itself/)
  expect(defects).toHaveLength(1)
  over.abort()
  await within(harness, running)
})

it('work that a callback starts and does not wait for gets the lock afterwards', async () => {
  await using harness = await openClientHarness()
  const zk = harness.client()
  let inner: Promise<string> | undefined
  await within(
    harness,
    zk.lock('/l').run(async () => {
      inner = zk.lock('/l').run(async () => 'held')
      await harness.clock.sleep(500)
    }),
  )

  expect(await within(harness, inner!)).toBe('held')
})

it('other callbacks of the same client wait in silence, and their error names the owner', async () => {
  await using harness = await openClientHarness()
  const zk = harness.client()
  const defects = defectsOf(zk)
  const held = await within(harness, zk.lock('/l').acquire())

  await expect(within(harness, zk.lock('/l').acquire(limit))).rejects.toMatchObject({
    message: expect.stringMatching(/the nearest is \/l\/_c_.*, which this client holds itself/),
  })
  expect(defects).toEqual([])
  await within(harness, held.release())
  const permits = zk.semaphore('/s', 2)
  expect(
    await within(
      harness,
      permits.run(() => permits.run(async () => 'both')),
    ),
  ).toBe('both')
  const reads = zk.rwLock('/r').read
  expect(
    await within(
      harness,
      reads.run(() => reads.run(async () => 'both')),
    ),
  ).toBe('both')
})
