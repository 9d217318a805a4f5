import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Barrier } from '../../src/recipes/double-barrier.ts'
import { type Harness, type Member, openHarness, sessionMs } from '../harness.ts'

let harness: Harness
let members: readonly Member[]

beforeEach(async () => {
  harness = await openHarness()
  members = [harness.member(), harness.member(), harness.member()]
})

afterEach(() => harness.close())

describe('a double barrier', () => {
  it('lets nobody in before all have come, and nobody on before all have gone', async () => {
    const log: string[] = []
    const visit = async (barrier: Barrier, i: number): Promise<void> => {
      await harness.clock.sleep(i * 100)
      await barrier.enter()
      log.push(`in at ${100 * Math.floor(harness.clock.now() / 100)}`)
      await harness.clock.sleep(i * 100)
      log.push(`done ${i}`)
      await barrier.leave()
      log.push('out')
    }
    await harness.inTime(Promise.all(members.map(({ client }) => client.ready())))

    await harness.inTime(Promise.all(barriers().map(visit)))

    const came = log.slice(0, 3)
    expect(came.filter((line) => line.startsWith('in'))).toHaveLength(3)
    expect(log.slice(-3)).toEqual(['out', 'out', 'out'])
    expect(harness.childrenOf('/b')).toEqual([])
  })

  it('can be entered again and again, however fast some are', async () => {
    const rounds: number[] = []
    const visit = async (barrier: Barrier, i: number): Promise<void> => {
      for (let round = 0; round < 5; round++) {
        await barrier.enter()
        rounds.push(round)
        await harness.clock.sleep(i === 0 ? 0 : 10 * i)
        await barrier.leave()
      }
    }

    await harness.inTime(Promise.all(barriers().map(visit)))

    expect(rounds).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4])
  })

  it('is entered by one that was cut off while the others went in', async () => {
    const [first, second, third] = barriers() as [Barrier, Barrier, Barrier]
    const slow = first.enter({ timeoutMs: 60_000 })
    await harness.clock.advance(50)
    members[0]!.host.cut()
    const others = Promise.all([second.enter(), third.enter()])
    await harness.inTime(others)
    const gone = Promise.all([second.leave({ timeoutMs: 60_000 }), third.leave({ timeoutMs: 60_000 })])
    await harness.clock.advance(1_000)
    members[0]!.host.heal()

    await harness.inTime(slow)
    await harness.inTime(Promise.all([first.leave(), gone]))

    expect(harness.childrenOf('/b')).toEqual([])
  })

  it('gives up when not all enter in time, and can be tried again', async () => {
    const [first, second, third] = barriers() as [Barrier, Barrier, Barrier]
    const alone = first.enter({ timeoutMs: 300 })

    await expect(harness.inTime(alone)).rejects.toMatchObject({
      code: 'timed-out',
      message: 'barrier /b: not all 3 members entered within 300 ms',
    })
    await harness.clock.advance(10)
    expect(harness.childrenOf('/b')).toEqual([])
    await harness.inTime(Promise.all([first.enter(), second.enter(), third.enter()]))
  })

  it('is not left open by one that gave up while it opened it', async () => {
    const [first, second, third] = barriers() as [Barrier, Barrier, Barrier]
    const early = Promise.all([first.enter({ timeoutMs: 60_000 }), second.enter({ timeoutMs: 60_000 })])
    await harness.clock.advance(100)
    harness.ensemble.script({
      when: { op: 'create2', path: '/b/open' },
      do: 'delay',
      delayMs: 500,
      at: 'answer',
    })

    await expect(harness.inTime(third.enter({ timeoutMs: 100 }))).rejects.toMatchObject({ code: 'timed-out' })
    await harness.inTime(early)
    await harness.inTime(Promise.all([first.leave(), second.leave()]))
    await harness.clock.advance(1_000)

    expect(harness.childrenOf('/b')).toEqual([])
  })

  it('does not wait for one whose session ended, and tells that one', async () => {
    const [first, second, third] = barriers() as [Barrier, Barrier, Barrier]
    await harness.inTime(Promise.all([first.enter(), second.enter(), third.enter()]))
    members[0]!.host.cut()

    await harness.inTime(
      Promise.all([second.leave({ timeoutMs: 60_000 }), third.leave({ timeoutMs: 60_000 })]),
    )

    members[0]!.host.heal()
    await harness.clock.advance(2 * sessionMs)
    await expect(harness.inTime(first.leave())).rejects.toMatchObject({ code: 'lease-over' })
  })

  it('is left once for each time that it was entered', async () => {
    const [first, second, third] = barriers() as [Barrier, Barrier, Barrier]
    await expect(first.leave()).rejects.toThrow(/it was not entered/)

    const all = Promise.all([first.enter(), second.enter(), third.enter()])
    await expect(first.enter()).rejects.toThrow(/entered already/)
    await harness.inTime(all)
  })
})

function barriers(): readonly Barrier[] {
  return members.map(({ client }) => client.barrier('/b', 3))
}
