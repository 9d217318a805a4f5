import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Lease } from '../../src/recipes/lock-node.ts'
import { type Harness, type Member, openHarness, sessionMs } from '../harness.ts'

let harness: Harness
let ours: Member
let theirs: Member

beforeEach(async () => {
  harness = await openHarness()
  ours = harness.member()
  theirs = harness.member()
})

afterEach(() => harness.close())

describe('a lock', () => {
  it('is held by one, and goes on in the order of those who came', async () => {
    const order: string[] = []
    const hold = async ({ client }: Member, name: string): Promise<void> => {
      await client.lock('/l').run(async (lease) => {
        order.push(`${name} in`)
        await harness.clock.sleep(100)
        expect(lease.valid()).toBe(true)
        order.push(`${name} out`)
      })
    }

    const first = hold(ours, 'a')
    await harness.clock.advance(50)
    const second = hold(theirs, 'b')
    await harness.clock.advance(10)
    await harness.inTime(Promise.all([first, second, hold(ours, 'c')]))

    expect(order).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out'])
  })

  it('gives a higher token to whoever holds it later', async () => {
    const tokens: bigint[] = []
    for (const { client } of [ours, theirs, ours]) {
      await harness.inTime(client.lock('/l').run(async ({ token }) => void tokens.push(token)))
    }

    expect([...tokens].sort((a, b) => Number(a - b))).toEqual(tokens)
  })

  it('wakes one of many when it is given back', async () => {
    const lease = await acquired(ours)
    const waiting = Array.from({ length: 20 }, () => theirs.client.lock('/l').acquire())
    await harness.clock.advance(100)
    harness.ensemble.log.clear()

    await harness.inTime(lease.release())
    await harness.inTime(waiting[0]!)

    const looks = harness.ensemble.log.count({ op: 'get-children2' })
    for (const each of waiting) await harness.inTime(each.then((next) => next.release()))
    expect(looks).toBe(1)
  })

  it('is given back when its callback throws', async () => {
    const run = ours.client.lock('/l').run(() => Promise.reject(new Error('no')))

    await expect(harness.inTime(run)).rejects.toThrow('no')
    expect(harness.childrenOf('/l')).toEqual([])
  })

  it('can be asked for without waiting', async () => {
    const lease = await acquired(ours)

    expect(await harness.inTime(theirs.client.lock('/l').tryAcquire())).toBeUndefined()
    expect(harness.childrenOf('/l')).toHaveLength(1)
    await harness.inTime(lease.release())
    expect(await harness.inTime(theirs.client.lock('/l').tryAcquire())).toMatchObject({
      path: expect.any(String),
    })
  })

  it('refuses a path and options that cannot be', async () => {
    expect(() => ours.client.lock('l')).toThrow(/leading slash/)
    expect(() => ours.client.lock('/l', { timeoutMs: 0 })).toThrow(/timeoutMs/)
    await expect(ours.client.lock('/l').acquire({ timeout: 1 } as never)).rejects.toThrow(/timeoutMs/)
  })
})

describe('whoever waits for a lock', () => {
  it('leaves the line when the time is up, and says who is before it', async () => {
    const { path } = await acquired(ours)

    const late = theirs.client.lock('/l').acquire({ timeoutMs: 500 })

    await expect(harness.inTime(late)).rejects.toMatchObject({
      code: 'timed-out',
      outcome: 'not-done',
      message: `the lock /l was not acquired within 500 ms: 1 ahead in the queue, the nearest is ${path}`,
    })
    await harness.clock.advance(10)
    expect(harness.childrenOf('/l')).toHaveLength(1)
  })

  it('leaves the line at its signal', async () => {
    await acquired(ours)
    const controller = new AbortController()
    const waiting = theirs.client.lock('/l').acquire({ signal: controller.signal })
    await harness.clock.advance(50)

    controller.abort(new Error('enough'))

    await expect(harness.inTime(waiting)).rejects.toMatchObject({
      code: 'aborted',
      message: expect.stringMatching(/enough/),
    })
    await harness.clock.advance(10)
    expect(harness.childrenOf('/l')).toHaveLength(1)
  })

  it('leaves the line when it gave up before it stood there', async () => {
    await harness.inTime(theirs.client.ready())
    const release = harness.ensemble.script({
      when: { op: 'create2' },
      do: 'delay',
      delayMs: 300,
      at: 'answer',
    })
    const waiting = theirs.client.lock('/l').acquire({ timeoutMs: 100 })

    await expect(harness.inTime(waiting)).rejects.toMatchObject({ code: 'timed-out' })
    release()
    await harness.clock.advance(1_000)

    expect(harness.ensemble.tree().has('/l')).toBe(true)
    expect(harness.childrenOf('/l')).toEqual([])
  })

  it('leaves the line when the connection is back, if it gave up without one', async () => {
    await acquired(ours)
    const waiting = theirs.client.lock('/l').acquire({ timeoutMs: 500 })
    await harness.clock.advance(100)
    theirs.host.cut()

    await expect(harness.inTime(waiting)).rejects.toMatchObject({ code: 'timed-out' })
    await harness.clock.advance(500)
    expect(harness.childrenOf('/l')).toHaveLength(2)
    theirs.host.heal()
    await harness.clock.advance(3_000)

    expect(harness.childrenOf('/l')).toHaveLength(1)
  })

  it('begins again at the end when somebody deletes its node', async () => {
    const lease = await acquired(ours)
    const waiting = theirs.client.lock('/l').acquire({ timeoutMs: 60_000 })
    await harness.clock.advance(50)
    const [second = ''] = harness.childrenOf('/l').filter((name) => !lease.path.endsWith(name))

    await harness.inTime(ours.client.delete(`/l/${second}`))
    await harness.clock.advance(50)

    expect(harness.childrenOf('/l')).toHaveLength(2)
    await harness.inTime(lease.release())
    expect((await harness.inTime(waiting)).path).not.toContain(second)
  })

  it('begins again in the next session when its own is lost', async () => {
    const lease = await acquired(ours)
    const waiting = theirs.client.lock('/l').acquire({ timeoutMs: 60_000 })
    await harness.clock.advance(50)
    const before = theirs.client.session?.epoch
    theirs.host.cut()
    await harness.clock.advance(sessionMs * 2)
    theirs.host.heal()
    await harness.clock.advance(3_000)

    await harness.inTime(lease.release())
    const second = await harness.inTime(waiting)

    expect(second.valid()).toBe(true)
    expect(theirs.client.session?.epoch).toBe((before ?? 0) + 1)
    expect(harness.childrenOf('/l')).toHaveLength(1)
  })

  it('begins again in the next session when its own is lost before it stood there', async () => {
    await harness.inTime(ours.client.ready())
    ours.host.cut()
    const waiting = ours.client.lock('/l').acquire({ timeoutMs: 60_000 })
    await harness.clock.advance(2 * sessionMs)
    ours.host.heal()

    const lease = await harness.inTime(waiting)

    expect(lease.valid()).toBe(true)
    await harness.clock.advance(2 * sessionMs)
    expect(harness.childrenOf('/l').map((name) => `/l/${name}`)).toEqual([lease.path])
  })

  it('finds its node when the answer to its making was lost', async () => {
    await harness.inTime(ours.client.ready())
    harness.ensemble.script({
      when: { op: 'create2', path: /lock-/, times: 1 },
      do: 'cut',
      how: 'reset',
      at: 'unanswered',
    })

    const lease = await acquired(ours)

    expect(lease.valid()).toBe(true)
    expect(harness.childrenOf('/l')).toHaveLength(1)
  })

  it('is told when the client is closed', async () => {
    await acquired(ours)
    const waiting = theirs.client.lock('/l').acquire({ timeoutMs: 60_000 })
    const told = expect(waiting).rejects.toMatchObject({ code: 'closed' })
    await harness.clock.advance(50)

    await harness.inTime(theirs.client.close())

    await told
    expect(harness.childrenOf('/l')).toHaveLength(1)
  })
})

async function acquired({ client }: Member): Promise<Lease> {
  return harness.inTime(client.lock('/l').acquire())
}
