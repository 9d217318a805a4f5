import { linkedController, Notifier } from '@ha/core/driver'
import { FakeClock, settle } from '@ha/core/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ClientContext } from '../../src/context.ts'
import type { Stat } from '../../src/node.ts'
import { LockNode } from '../../src/recipes/lock-node.ts'
import type { LiveSession } from '../../src/session/session.ts'

// A session whose certainty the test controls, which is not possible with a server.
let clock: FakeClock
let certainUntilMs: number
let needing: number
let deleted: string[]
let changed: Notifier
let place: LockNode

beforeEach(() => {
  clock = new FakeClock()
  certainUntilMs = 0
  needing = 0
  deleted = []
  changed = new Notifier()
  place = new LockNode(context(), { path: '/l/lock-0000000001', stat }, session())
})

const timeoutMs = 2_400
const stat = { czxid: 7n, ephemeralOwner: 5n } as Stat

describe('a place whose turn has come', () => {
  it('is held when the session is certain', async () => {
    certainUntilMs = 1_000

    expect(await place.hold(never())).toBe(true)
    expect([place.valid(), needing]).toEqual([true, 1])
  })

  it('waits for as long as nobody knows whether the leader has heard of us', async () => {
    const holding = place.hold(never())
    await clock.advance(timeoutMs)
    expect(place.valid()).toBe(false)
    expect(deleted).toEqual([])

    certainUntilMs = clock.now() + 1_000
    await clock.advance(timeoutMs / 24)

    expect(await holding).toBe(true)
    expect(place.valid()).toBe(true)
  })

  it('is not held when it was given back meanwhile', async () => {
    const holding = place.hold(never())
    await place.release()
    await clock.advance(timeoutMs)

    expect(await holding).toBe(false)
    expect(needing).toBe(0)
  })

  it('stops to wait at the signal', async () => {
    const scope = linkedController()
    const holding = place.hold(scope.signal)
    holding.catch(() => undefined)
    scope.abort(new Error('enough'))

    await expect(holding).rejects.toThrow('enough')
    expect(needing).toBe(0)
  })
})

describe('a place that is held', () => {
  beforeEach(async () => {
    certainUntilMs = 1_000
    await place.hold(never())
  })

  it('is over by the clock alone, and its node goes though the session lives', async () => {
    await clock.advance(998)
    expect(place.valid()).toBe(true)
    await clock.advance(2)

    expect(place.signal.aborted).toBe(true)
    await settle()
    expect([deleted, needing]).toEqual([[place.path], 0])
  })

  it('tells everybody before its node goes', async () => {
    let deletedBefore: number | undefined
    place.signal.addEventListener('abort', () => {
      deletedBefore = deleted.length
    })

    await place.release()

    expect(deletedBefore).toBe(0)
    expect(deleted).toEqual([place.path])
  })

  it('stays for as long as certainty grows', async () => {
    await clock.advance(900)
    certainUntilMs = 5_000
    await clock.advance(3_000)

    expect(place.valid()).toBe(true)
    expect(place.valid(1_200)).toBe(false)
  })

  it('is over in time when another server grants its session for less', async () => {
    certainUntilMs = 40_000
    await clock.advance(1_000)
    certainUntilMs = 4_000
    changed.notifyAll()
    await clock.advance(3_000)

    expect(place.signal.aborted).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('stays over when certainty comes back', async () => {
    await clock.advance(1_000)
    certainUntilMs = 5_000

    expect(place.valid()).toBe(false)
  })

  it('leaves no timer behind', async () => {
    await place.release()

    expect(clock.pending).toBe(0)
  })
})

function never(): AbortSignal {
  return linkedController().signal
}

function session(): LiveSession {
  return {
    id: 5n,
    epoch: 1,
    timeoutMs,
    signal: never(),
    confirmedAtMs: 0,
    get certainUntilMs() {
      return certainUntilMs
    },
    keepCertain: () => {
      needing += 1
      return () => {
        needing -= 1
      }
    },
  }
}

function context(): ClientContext {
  const watchedReads = { exists: async () => ({ value: stat, unwatch: () => undefined }) }
  const operations = {
    delete: async (path: string) => {
      deleted.push(path)
      return true
    },
  }
  const sessions = { current: undefined, connected: true, changed }
  return {
    clock,
    random: () => 0.5,
    watchedReads,
    operations,
    sessions,
    signal: never(),
  } as unknown as ClientContext
}
