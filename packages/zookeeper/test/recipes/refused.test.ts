import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Harness, type Member, openHarness } from '../harness.ts'

// The servers refuse the login of one client for a while, as when a password is changed on the servers first.
let harness: Harness
let ours: Member
let admit: () => void

beforeEach(async () => {
  harness = await openHarness()
  ours = harness.member({ auth: [{ scheme: 'digest', value: 'a:b' }], acl: openAcl })
  admit = () => undefined
})
afterEach(() => harness.close())

const openAcl = [
  { permissions: ['read', 'write', 'create', 'delete', 'admin'], scheme: 'world', id: 'anyone' },
] as const

/** Ends the connection of that client, and refuses every further login. */
function refuse(): void {
  admit = harness.ensemble.script({ when: { op: 'auth' }, do: 'refuse', code: authFailed })
  for (const { connections } of harness.ensemble.nodes) for (const line of connections) line.reset()
}

const authFailed = -115

describe('while every server refuses us', () => {
  it('a candidate goes on standing, says what is in its way, and is elected afterwards', async () => {
    refuse()
    const over = new AbortController()
    const election = ours.client.election('/e', { id: 'a' })
    let isElected = false
    const running = election.run(
      async ({ signal }) => {
        isElected = true
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      },
      { signal: over.signal },
    )
    running.catch(() => undefined)
    await harness.clock.advance(20_000)
    expect(election.trouble()).toMatchObject({ code: 'refused' })

    admit()
    await harness.clock.advance(10_000)

    expect([isElected, election.isLeader(), election.trouble()]).toEqual([true, true, undefined])
    over.abort()
    const closing = ours.client.close()
    await harness.inTime(Promise.all([running, closing]))
  })

  it('whoever waits for a lock keeps its place, and gets it afterwards', async () => {
    const other = harness.member()
    const held = await harness.inTime(other.client.lock('/l').acquire())
    const waiting = ours.client.lock('/l').acquire({ timeoutMs: 60_000 })
    waiting.catch(() => undefined)
    await harness.clock.advance(500)
    // The lock is free, and the client reads the queue.
    harness.ensemble.script({ when: { op: 'get-children2', path: '/l', times: 1 }, do: 'cut', how: 'reset' })
    admit = harness.ensemble.script({ when: { op: 'auth' }, do: 'refuse', code: authFailed })
    await harness.inTime(held.release())
    await harness.clock.advance(1_000)
    admit()

    const lease = await harness.inTime(waiting)

    expect(lease.valid()).toBe(true)
  })

  it('whoever waits for a lock in vain is told why', async () => {
    const other = harness.member()
    await harness.inTime(other.client.lock('/l').acquire())
    const waiting = ours.client.lock('/l').acquire({ timeoutMs: 3_000 })
    waiting.catch(() => undefined)
    await harness.clock.advance(500)
    refuse()

    await expect(harness.inTime(waiting)).rejects.toMatchObject({
      code: 'timed-out',
      cause: { code: 'refused' },
      message: expect.stringMatching(/not acquired within 3000 ms: every zookeeper endpoint refused/),
    })
  })
})
