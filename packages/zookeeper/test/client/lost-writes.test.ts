import { describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { openClientHarness, settledWithin } from '../client-harness.ts'

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    (value) => value,
    (error: unknown) => error,
  )

/** Writes whose outcome the servers repeatedly report as unknown, and which were not executed. */
const writes = [
  {
    name: 'set of a version',
    op: 'set-data',
    run: (zk: Zookeeper) => zk.set('/a', 'x', { version: 0, timeoutMs: 2_000 }),
  },
  {
    name: 'delete of a version',
    op: 'delete',
    run: (zk: Zookeeper) => zk.delete('/a', { version: 0, timeoutMs: 2_000 }),
  },
  {
    name: 'create with a mark',
    op: 'create2',
    run: (zk: Zookeeper) => zk.create('/a/n-', 'x', { sequential: true, timeoutMs: 2_000 }),
  },
] as const

describe.each(writes)('a $name that its server gives up again and again', ({ op, run }) => {
  it.each([-1, -7])('with %i is not asked at the speed of the wire', async (code) => {
    await using harness = await openClientHarness()
    const { clock, ensemble } = harness
    const zk = harness.client()
    await settledWithin(clock, 1_000, zk.create('/a'))
    ensemble.log.clear()
    ensemble.script({ when: { op }, do: 'refuse', code })

    const error = await settledWithin(clock, 3_000, failure(run(zk)))

    expect(error).toMatchObject({ path: expect.stringMatching(/^\/a/) })
    expect(ensemble.log.count({ op })).toBeGreaterThan(2)
    expect(ensemble.log.count({ op })).toBeLessThan(20)
  })

  it('says why it could not be looked up', async () => {
    await using harness = await openClientHarness()
    const { clock, ensemble } = harness
    const zk = harness.client()
    await settledWithin(clock, 1_000, zk.create('/a'))
    ensemble.script({ when: { op }, do: 'refuse', code: -7 })
    ensemble.script({ when: { op: 'sync' }, do: 'refuse', code: -102 })

    const error = await settledWithin(clock, 3_000, failure(run(zk)))

    expect(error).toMatchObject({
      code: 'outcome-unknown',
      outcome: 'unknown',
      cause: { errors: [{ code: 'outcome-unknown' }, { code: 'no-auth' }] },
    })
  })
})
