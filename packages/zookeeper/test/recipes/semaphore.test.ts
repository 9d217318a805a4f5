import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Lease } from '../../src/recipes/lock-node.ts'
import { type Harness, type Member, openHarness } from '../harness.ts'

let harness: Harness
let ours: Member
let theirs: Member

beforeEach(async () => {
  harness = await openHarness()
  ours = harness.member()
  theirs = harness.member()
})

afterEach(() => harness.close())

describe('a semaphore', () => {
  it('is held by as many as it has permits, and no more', async () => {
    let inside = 0
    let most = 0
    const visit = ({ client }: Member): Promise<void> =>
      client.semaphore('/s', 3).run(
        async () => {
          inside += 1
          most = Math.max(most, inside)
          await harness.clock.sleep(100)
          inside -= 1
        },
        { timeoutMs: 60_000 },
      )

    await harness.inTime(Promise.all([ours, theirs, ours, theirs, ours, theirs, ours].map(visit)))

    expect(most).toBe(3)
    expect(harness.childrenOf('/s')).toEqual([])
  })

  it('lets the next in when any of those who sit goes', async () => {
    const permits = [await takePermit(ours), await takePermit(theirs), await takePermit(ours)]
    const waiting = theirs.client.semaphore('/s', 3).acquire()
    await harness.clock.advance(50)

    await harness.inTime(permits[1]!.release())

    expect((await harness.inTime(waiting)).valid()).toBe(true)
  })

  it('refuses a client that expects another number of permits, and keeps nothing of it', async () => {
    await takePermit(ours)

    const other = harness.inTime(theirs.client.semaphore('/s', 4).acquire())

    await expect(other).rejects.toMatchObject({
      code: 'config-invalid',
      path: '/s',
      message: expect.stringMatching(/expects 4 permits, the node contains 3 permits/),
    })
    await harness.clock.advance(10)
    expect(harness.childrenOf('/s')).toHaveLength(1)
  })

  it('agrees on its permits when many come at once', async () => {
    const coming = [ours, theirs, ours, theirs].map(({ client }) => client.semaphore('/s', 4).acquire())

    expect(await harness.inTime(Promise.all(coming))).toHaveLength(4)
    expect(harness.ensemble.tree().get('/s')?.data?.toString()).toBe('4')
  })

  it('refuses a number of permits that cannot be', () => {
    expect(() => ours.client.semaphore('/s', 0)).toThrow(/whole number of permits, at least 1/)
  })
})

function takePermit({ client }: Member): Promise<Lease> {
  return harness.inTime(client.semaphore('/s', 3).acquire())
}
