import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Harness, type Member, openHarness } from '../harness.ts'

// The servers refuse the login of ours for a while, as when it is changed there before it is changed here.
let bench: Harness
let ours: Member
let admit: () => void

beforeEach(async () => {
  bench = await openHarness()
  ours = bench.member({ auth: [{ scheme: 'digest', value: 'a:b' }], acl: openAcl })
  admit = () => undefined
})
afterEach(() => bench.close())

const openAcl = [
  { permissions: ['read', 'write', 'create', 'delete', 'admin'], scheme: 'world', id: 'anyone' },
] as const

/** Ends the connection of ours, and refuses every login from now on. */
function refuse(): void {
  admit = bench.ensemble.script({ when: { op: 'auth' }, do: 'refuse', code: authFailed })
  for (const { connections } of bench.ensemble.nodes) for (const line of connections) line.reset()
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
    await bench.clock.advance(20_000)
    expect(election.trouble()).toMatchObject({ code: 'refused' })

    admit()
    await bench.clock.advance(10_000)

    expect([isElected, election.isLeader(), election.trouble()]).toEqual([true, true, undefined])
    over.abort()
    const closing = ours.client.close()
    await bench.inTime(Promise.all([running, closing]))
  })

  it('whoever waits for a lock keeps its place, and gets it afterwards', async () => {
    const other = bench.member()
    const held = await bench.inTime(other.client.lock('/l').acquire())
    const waiting = ours.client.lock('/l').acquire({ timeoutMs: 60_000 })
    waiting.catch(() => undefined)
    await bench.clock.advance(500)
    // Its turn has come, and it asks who is in the line.
    bench.ensemble.script({ when: { op: 'get-children2', path: '/l', times: 1 }, do: 'cut', how: 'reset' })
    admit = bench.ensemble.script({ when: { op: 'auth' }, do: 'refuse', code: authFailed })
    await bench.inTime(held.release())
    await bench.clock.advance(1_000)
    admit()

    const lease = await bench.inTime(waiting)

    expect(lease.valid()).toBe(true)
  })

  it('whoever waits for a lock in vain is told why', async () => {
    const other = bench.member()
    await bench.inTime(other.client.lock('/l').acquire())
    const waiting = ours.client.lock('/l').acquire({ timeoutMs: 3_000 })
    waiting.catch(() => undefined)
    await bench.clock.advance(500)
    refuse()

    await expect(bench.inTime(waiting)).rejects.toMatchObject({
      code: 'timed-out',
      cause: { code: 'refused' },
      message: expect.stringMatching(/not acquired within 3000 ms: every zookeeper endpoint refused/),
    })
  })
})
