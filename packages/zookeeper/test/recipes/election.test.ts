import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Lease } from '../../src/recipes/lock-node.ts'
import { type Harness, type Member, openHarness, sessionMs } from '../harness.ts'

let harness: Harness
let ours: Member
let theirs: Member
let over: AbortController

beforeEach(async () => {
  harness = await openHarness()
  ours = harness.member()
  theirs = harness.member()
  over = new AbortController()
})

afterEach(async () => {
  over.abort()
  await harness.close()
})

describe('an election', () => {
  it('is won by one, and by the next when it steps down', async () => {
    const terms: string[] = []
    const runs = [ours, theirs].map((member, i) => serve(member, `n${i}`, terms, { termMs: 100 }))
    await harness.clock.advance(450)
    over.abort()
    await harness.inTime(Promise.all(runs))

    expect(terms.slice(0, 4)).toEqual(['n0', 'n1', 'n0', 'n1'])
    expect(harness.childrenOf('/e')).toEqual([])
  })

  it('knows of itself whether it leads', async () => {
    const a = ours.client.election('/e', { id: 'a' })
    const b = theirs.client.election('/e', { id: 'b' })
    const until = { signal: over.signal }
    const runs = [a.run(waitOver, until), b.run(waitOver, until)]
    await harness.clock.advance(100)
    expect([a.isLeader(), b.isLeader()]).toEqual([true, false])

    ours.host.freeze()
    await harness.clock.advance(1.5 * sessionMs)
    ours.host.thaw()

    expect([a.isLeader(), b.isLeader()]).toEqual([false, true])
    over.abort()
    await harness.inTime(Promise.all(runs))
  })

  it('names the leader, also to who only looks on', async () => {
    const watcher = theirs.client.election('/e', { id: 'watcher' })
    expect(await harness.inTime(watcher.leader())).toBeUndefined()
    const run = serve(ours, 'a', [], { termMs: 60_000 })
    await harness.clock.advance(100)

    const leader = await harness.inTime(watcher.leader())

    expect(leader).toMatchObject({ id: 'a', path: expect.stringMatching(/^\/e\/.*rank0-\d{10}$/) })
    over.abort()
    await harness.inTime(run)
  })

  it('names the leader of now through a server that lags', async () => {
    const runs = [serve(ours, 'a', [], { termMs: 200 }), serve(ours, 'b', [], { termMs: 60_000 })]
    await harness.clock.advance(100)
    const watcher = theirs.client.election('/e', { id: 'watcher' })
    await harness.inTime(watcher.leader())
    const { id } = theirs.client.session ?? {}
    harness.ensemble.nodeOf(id ?? 0n)!.lagMs = 500
    await harness.clock.advance(300)

    expect(await harness.inTime(watcher.leader())).toMatchObject({ id: 'b' })
    over.abort()
    await harness.inTime(Promise.all(runs))
  })

  it('is won by the highest priority among those who wait, and nobody is pushed aside', async () => {
    const terms: string[] = []
    const runs = [serve(ours, 'first', terms, { termMs: 200 })]
    await harness.clock.advance(50)
    for (const [id, priority] of [
      ['low', 1],
      ['high', 7],
      ['middle', 3],
    ] as const) {
      runs.push(serve(theirs, id, terms, { termMs: 200, priority }))
      await harness.clock.advance(10)
    }
    expect(terms).toEqual(['first'])
    await harness.clock.advance(250)
    over.abort()
    await harness.inTime(Promise.all(runs))

    expect(terms.slice(0, 2)).toEqual(['first', 'high'])
  })

  it('hands out tokens that grow, whatever the priorities are', async () => {
    const tokens: bigint[] = []
    const runs = [2, 0, 5, 1].map((priority, i) => {
      const election = (i % 2 === 0 ? ours : theirs).client.election('/e', { id: `n${i}`, priority })
      return election.run(
        async ({ token }) => {
          tokens.push(token)
          await harness.clock.sleep(50)
        },
        { signal: over.signal },
      )
    })
    await harness.clock.advance(700)
    over.abort()
    await harness.inTime(Promise.all(runs))

    expect(tokens.length).toBeGreaterThan(8)
    expect([...tokens].sort((a, b) => Number(a - b))).toEqual(tokens)
  })

  it('ends with what its leader threw', async () => {
    const run = ours.client.election('/e', { id: 'a' }).run(() => Promise.reject(new Error('no')))

    await expect(harness.inTime(run)).rejects.toThrow('no')
    expect(harness.childrenOf('/e')).toEqual([])
  })

  it('goes on when its leader stopped because its lease was over', async () => {
    const tokens: bigint[] = []
    const stopping = async (lease: Lease): Promise<void> => {
      tokens.push(lease.token)
      await harness.clock.sleep(1e9, lease.signal)
    }
    const run = ours.client.election('/e', { id: 'a' }).run(stopping, { signal: over.signal })
    await harness.clock.advance(100)
    ours.host.cut()
    await harness.clock.advance(2 * sessionMs)
    ours.host.heal()
    await harness.clock.advance(2 * sessionMs)

    expect(tokens).toHaveLength(2)
    const told = expect(run).rejects.toMatchObject({ code: 'closed' })
    await harness.inTime(ours.client.close())
    await told
  })

  it('is run once by one participant', async () => {
    const a = ours.client.election('/e', { id: 'a' })
    const run = a.run(waitOver, { signal: over.signal })

    await expect(a.run(waitOver)).rejects.toMatchObject({ code: 'config-invalid' })
    over.abort()
    await harness.inTime(run)
  })
})

describe('whoever observes an election', () => {
  it('sees each leader, and nobody in between when nobody is there', async () => {
    const seen = observed(theirs)
    await harness.clock.advance(100)
    const run = serve(ours, 'a', [], { termMs: 300, once: true })
    await harness.clock.advance(600)
    await harness.inTime(run)

    over.abort()
    expect(await harness.inTime(seen)).toEqual([undefined, 'a', undefined])
  })

  it('sees who leads after an outage', async () => {
    const seen = observed(theirs)
    const runs = [serve(ours, 'a', [], { termMs: 2_000, once: true }), serve(ours, 'b', [], { termMs: 1e6 })]
    await harness.clock.advance(500)
    theirs.host.cut()
    await harness.clock.advance(2 * sessionMs)
    theirs.host.heal()
    await harness.clock.advance(sessionMs)

    over.abort()
    const names = await harness.inTime(seen)
    expect(names.at(-1)).toBe('b')
    await harness.inTime(Promise.all(runs))
  })
})

interface Term {
  readonly termMs: number
  readonly priority?: number
  readonly once?: boolean
}

async function serve(
  { client }: Member,
  id: string,
  terms: string[],
  { termMs, priority = 0, once = false }: Term,
): Promise<void> {
  const enough = new AbortController()
  const signal = AbortSignal.any([over.signal, enough.signal])
  const lead = async (): Promise<void> => {
    terms.push(id)
    if (once) enough.abort()
    await harness.clock.sleep(termMs, over.signal).catch(() => undefined)
  }
  await client.election('/e', { id, priority }).run(lead, { signal })
}

async function observed({ client }: Member): Promise<readonly (string | undefined)[]> {
  const seen: (string | undefined)[] = []
  for await (const leader of client.election('/e', { id: 'watcher' }).observe({ signal: over.signal })) {
    seen.push(leader?.id)
  }
  return seen
}

function waitOver(): Promise<void> {
  return harness.clock.sleep(1e9, over.signal).catch(() => undefined)
}
