import { describe, expect, it } from 'vitest'
import type { ZookeeperState } from '../../src/client-state.ts'
import { openClientHarness, settledWithin } from '../client-harness.ts'
import { onlyAt, sessionMs } from '../harness.ts'
import { deadlineMs, repeatedly } from './load.ts'

// How long the other servers take to detect a frozen one.
const detectMs = 1_000

describe('Z1: the attached server stands still', () => {
  it.each([
    ['a follower, while nothing is asked', false, 0],
    ['the leader, while nothing is asked', true, 0],
    ['a follower, under 50 writes a second', false, 20],
    ['the leader, under 50 writes a second', true, 20],
  ])(
    '%s: another one carries the same session in time, with all that it holds',
    async (_, isLeader, everyMs) => {
      await using harness = await openClientHarness({ detectMs })
      const { clock, ensemble } = harness
      const [client, other] = [harness.client(), harness.client()]
      const { leader } = ensemble
      const before = await onlyAt(
        harness,
        (node) => (node === leader) === isLeader,
        () => settledWithin(clock, 1_000, client.ready()),
      )
      await settledWithin(clock, 1_000, other.create('/watched', 'one'))
      await settledWithin(clock, 1_000, client.create('/mine', '', { kind: 'ephemeral' }))
      const told = client.watch('/watched', { kind: 'data' }).next()
      await clock.advance(500)
      const load = repeatedly(clock, everyMs, (n) =>
        client.set('/mine', String(n), { timeoutMs: deadlineMs }),
      )
      await clock.advance(500)
      const states: [ZookeeperState, number][] = []
      const frozenAtMs = clock.now()
      client.events.on('state', ({ state }) => void states.push([state, clock.now() - frozenAtMs]))
      ensemble.nodeOf(before.id)?.freeze()
      await clock.advance(sessionMs)
      const settled = await load.end()

      expect(states.map(([state]) => state)).toEqual(['suspended', 'reconnected'])
      expect(states[0]?.[1]).toBeLessThanOrEqual((sessionMs * 2) / 3)
      expect(states[1]?.[1]).toBeLessThan(sessionMs)
      expect({ id: client.session?.id, over: before.signal.aborted }).toEqual({ id: before.id, over: false })
      expect(ensemble.tree().get('/mine')?.stat.ephemeralOwner).toBe(before.id)
      await settledWithin(clock, 2_000, other.set('/watched', 'two'))
      expect(await settledWithin(clock, 2_000, told)).toMatchObject({
        value: { kind: 'changed', path: '/watched' },
      })
      expect(settled.filter(({ tookMs }) => tookMs > deadlineMs + 1)).toEqual([])
      expect(settled.map(({ outcome }) => outcome)).not.toContain('untyped')
    },
  )
})
