import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Lease } from '../../src/recipes/lock-node.ts'
import { type Harness, type Member, openHarness, sessionMs } from '../harness.ts'

let bench: Harness
let ours: Member
let theirs: Member
let over: AbortController

beforeEach(async () => {
  bench = await openHarness()
  ours = bench.member()
  theirs = bench.member()
  over = new AbortController()
})

afterEach(async () => {
  over.abort()
  await bench.close()
})

describe('an election', () => {
  it('is won by one, and by the next when it steps down', async () => {
    const terms: string[] = []
    const runs = [ours, theirs].map((member, i) => serve(member, `n${i}`, terms, { termMs: 100 }))
    await bench.clock.advance(450)
    over.abort()
    await bench.inTime(Promise.all(runs))

    expect(terms.slice(0, 4)).toEqual(['n0', 'n1', 'n0', 'n1'])
    expect(bench.childrenOf('/e')).toEqual([])
  })

  it('knows of itself whether it leads', async () => {
    const a = ours.client.election('/e', { id: 'a' })
    const b = theirs.client.election('/e', { id: 'b' })
    const until = { signal: over.signal }
    const runs = [a.run(waitOver, until), b.run(waitOver, until)]
    await bench.clock.advance(100)
    expect([a.isLeader(), b.isLeader()]).toEqual([true, false])

    ours.machine.freeze()
    await bench.clock.advance(1.5 * sessionMs)
    ours.machine.thaw()

    expect([a.isLeader(), b.isLeader()]).toEqual([false, true])
    over.abort()
    await bench.inTime(Promise.all(runs))
  })

  it('names the leader, also to who only looks on', async () => {
    const watcher = theirs.client.election('/e', { id: 'watcher' })
    expect(await bench.inTime(watcher.leader())).toBeUndefined()
    const run = serve(ours, 'a', [], { termMs: 60_000 })
    await bench.clock.advance(100)

    const leader = await bench.inTime(watcher.leader())

    expect(leader).toMatchObject({ id: 'a', path: expect.stringMatching(/^\/e\/.*rank0-\d{10}$/) })
    over.abort()
    await bench.inTime(run)
  })

  it('names the leader of now through a server that lags', async () => {
    const runs = [serve(ours, 'a', [], { termMs: 200 }), serve(ours, 'b', [], { termMs: 60_000 })]
    await bench.clock.advance(100)
    const watcher = theirs.client.election('/e', { id: 'watcher' })
    await bench.inTime(watcher.leader())
    const { id } = theirs.client.session ?? {}
    bench.ensemble.nodeOf(id ?? 0n)!.lagMs = 500
    await bench.clock.advance(300)

    expect(await bench.inTime(watcher.leader())).toMatchObject({ id: 'b' })
    over.abort()
    await bench.inTime(Promise.all(runs))
  })

  it('is won by the highest priority among those who wait, and nobody is pushed aside', async () => {
    const terms: string[] = []
    const runs = [serve(ours, 'first', terms, { termMs: 200 })]
    await bench.clock.advance(50)
    for (const [id, priority] of [
      ['low', 1],
      ['high', 7],
      ['middle', 3],
    ] as const) {
      runs.push(serve(theirs, id, terms, { termMs: 200, priority }))
      await bench.clock.advance(10)
    }
    expect(terms).toEqual(['first'])
    await bench.clock.advance(250)
    over.abort()
    await bench.inTime(Promise.all(runs))

    expect(terms.slice(0, 2)).toEqual(['first', 'high'])
  })

  it('hands out tokens that grow, whatever the priorities are', async () => {
    const tokens: bigint[] = []
    const runs = [2, 0, 5, 1].map((priority, i) => {
      const election = (i % 2 === 0 ? ours : theirs).client.election('/e', { id: `n${i}`, priority })
      return election.run(
        async ({ token }) => {
          tokens.push(token)
          await bench.clock.sleep(50)
        },
        { signal: over.signal },
      )
    })
    await bench.clock.advance(700)
    over.abort()
    await bench.inTime(Promise.all(runs))

    expect(tokens.length).toBeGreaterThan(8)
    expect([...tokens].sort((a, b) => Number(a - b))).toEqual(tokens)
  })

  it('ends with what its leader threw', async () => {
    const run = ours.client.election('/e', { id: 'a' }).run(() => Promise.reject(new Error('no')))

    await expect(bench.inTime(run)).rejects.toThrow('no')
    expect(bench.childrenOf('/e')).toEqual([])
  })

  it('goes on when its leader stopped because its lease was over', async () => {
    const tokens: bigint[] = []
    const stopping = async (lease: Lease): Promise<void> => {
      tokens.push(lease.token)
      await bench.clock.sleep(1e9, lease.signal)
    }
    const run = ours.client.election('/e', { id: 'a' }).run(stopping, { signal: over.signal })
    await bench.clock.advance(100)
    ours.machine.cut()
    await bench.clock.advance(2 * sessionMs)
    ours.machine.heal()
    await bench.clock.advance(2 * sessionMs)

    expect(tokens).toHaveLength(2)
    const told = expect(run).rejects.toMatchObject({ code: 'closed' })
    await bench.inTime(ours.client.close())
    await told
  })

  it('is run once by one participant', async () => {
    const a = ours.client.election('/e', { id: 'a' })
    const run = a.run(waitOver, { signal: over.signal })

    await expect(a.run(waitOver)).rejects.toMatchObject({ code: 'config-invalid' })
    over.abort()
    await bench.inTime(run)
  })
})

describe('whoever observes an election', () => {
  it('sees each leader, and nobody in between when nobody is there', async () => {
    const seen = observed(theirs)
    await bench.clock.advance(100)
    const run = serve(ours, 'a', [], { termMs: 300, once: true })
    await bench.clock.advance(600)
    await bench.inTime(run)

    over.abort()
    expect(await bench.inTime(seen)).toEqual([undefined, 'a', undefined])
  })

  it('sees who leads after an outage', async () => {
    const seen = observed(theirs)
    const runs = [serve(ours, 'a', [], { termMs: 2_000, once: true }), serve(ours, 'b', [], { termMs: 1e6 })]
    await bench.clock.advance(500)
    theirs.machine.cut()
    await bench.clock.advance(2 * sessionMs)
    theirs.machine.heal()
    await bench.clock.advance(sessionMs)

    over.abort()
    const names = await bench.inTime(seen)
    expect(names.at(-1)).toBe('b')
    await bench.inTime(Promise.all(runs))
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
    await bench.clock.sleep(termMs, over.signal).catch(() => undefined)
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
  return bench.clock.sleep(1e9, over.signal).catch(() => undefined)
}
