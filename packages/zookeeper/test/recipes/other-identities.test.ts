import { describe, expect, it } from 'vitest'
import { openClientHarness, settledWithin } from '../client-harness.ts'

const digest = (value: string): { auth: { scheme: string; value: string }[] } => ({
  auth: [{ scheme: 'digest', value }],
})

describe.each([false, true])(
  'clients with different credentials (exists needs read: %s)',
  (existsNeedsRead) => {
    it('wait for each other’s locks, and the place of the one that left is taken', async () => {
      await using harness = await openClientHarness({ existsNeedsRead })
      const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 8_000, work)
      const [a, b, c] = ['a:x', 'b:x', 'c:x'].map((login) => harness.client(digest(login)))
      const first = await within(a!.lock('/l').acquire())
      const second = b!.lock('/l').acquire({ timeoutMs: 5_000 })
      await harness.clock.advance(500)
      const third = c!.lock('/l').acquire({ timeoutMs: 5_000 })
      await harness.clock.advance(500)
      await within(first.release())
      const lease = await within(second)
      expect(lease.valid()).toBe(true)
      await within(lease.release())

      expect((await within(third)).valid()).toBe(true)
    })

    it('share a semaphore', async () => {
      await using harness = await openClientHarness({ existsNeedsRead })
      const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 8_000, work)
      const clients = ['a:x', 'b:x', 'c:x'].map((login) => harness.client(digest(login)))
      const leases = clients.map((zk) => zk.semaphore('/s', 3).acquire({ timeoutMs: 5_000 }))

      expect((await within(Promise.all(leases))).map((lease) => lease.valid())).toEqual([true, true, true])
    })
  },
)

it('a candidate goes on when the chroot is deleted, and is elected after a person made it again', async () => {
  await using harness = await openClientHarness()
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 8_000, work)
  const operator = harness.client()
  await within(operator.create('/shop'))
  const zk = harness.client({ connect: `${harness.ensemble.connectString}/shop` })
  const defects: string[] = []
  zk.events.on('defect', ({ where }) => void defects.push(where))
  const over = new AbortController()
  const election = zk.election('/v', { id: 'a' })
  let terms = 0
  const running = election.run(
    ({ signal }) => {
      terms += 1
      return new Promise((resolve) => {
        for (const each of [signal, over.signal]) each.addEventListener('abort', () => resolve())
      })
    },
    { signal: over.signal },
  )
  running.catch(() => undefined)
  await harness.clock.advance(1_000)
  await within(operator.delete('/shop', { recursive: true }))
  await harness.clock.advance(30_000)
  expect(election.trouble()?.message).toMatch(/the chroot \/shop does not exist/)
  expect(defects).toEqual(['the leadership of /v'])
  await within(operator.create('/shop'))
  await harness.clock.advance(62_000)

  expect([election.isLeader(), terms]).toEqual([true, 2])
  over.abort()
  await within(running)
})
