import { describe, expect, it } from 'vitest'
import { openClientHarness, settledWithin } from '../client-harness.ts'

describe('a session', () => {
  it('reads what it wrote', async () => {
    await using harness = await openClientHarness()
    const { clock } = harness
    const zk = harness.client()
    await settledWithin(clock, 1_000, zk.ready())
    expect(zk.state).toBe('connected')
    await settledWithin(clock, 1_000, zk.create('/a', 'one'))
    const node = await settledWithin(clock, 1_000, zk.get('/a'))
    expect(node?.data.toString()).toBe('one')
    expect(await settledWithin(clock, 1_000, zk.get('/none'))).toBeUndefined()
  })

  it('goes on with another server when the one it is on freezes', async () => {
    await using harness = await openClientHarness()
    const { clock, ensemble } = harness
    const zk = harness.client()
    const before = await settledWithin(clock, 1_000, zk.ready())
    await settledWithin(clock, 1_000, zk.create('/e', '', { kind: 'ephemeral' }))
    const states: string[] = []
    zk.events.on('state', ({ state }) => void states.push(state))
    ensemble.nodeOf(before.id)?.freeze()
    await clock.advance(4_000)
    expect(states).toEqual(['suspended', 'reconnected'])
    expect(zk.session?.id).toBe(before.id)
    expect((await settledWithin(clock, 1_000, zk.exists('/e')))?.ephemeralOwner).toBe(before.id)
  })

  it('is lost by our own clock when no server answers, and another one begins', async () => {
    await using harness = await openClientHarness()
    const { clock, ensemble } = harness
    const zk = harness.client()
    const before = await settledWithin(clock, 1_000, zk.ready())
    const states: [string, number][] = []
    zk.events.on('state', ({ state }) => void states.push([state, clock.now()]))
    let lostAtMs = 0
    before.signal.addEventListener('abort', () => {
      lostAtMs = clock.now()
    })
    const certainUntilMs = before.certainUntilMs
    for (const node of ensemble.nodes) node.cut()
    await clock.advance(8_000)
    expect(lostAtMs).toBeGreaterThanOrEqual(certainUntilMs)
    expect(lostAtMs - certainUntilMs).toBeLessThan(4_000 / 3)
    expect(states.map(([state]) => state)).toEqual(['suspended', 'lost'])
    for (const node of ensemble.nodes) node.heal()
    await clock.advance(6_000)
    expect(zk.state).toBe('reconnected')
    expect(zk.session?.epoch).toBe(2)
  })

  it.each(['stops', 'takes connections and says nothing'] as const)(
    'goes to another server at once when the one that it is on hangs up and %s',
    async (then) => {
      for (let seed = 1; seed <= 10; seed++) {
        // Small seeds produce similar first numbers.
        await using harness = await openClientHarness({}, seed * 7_919)
        const { clock, ensemble } = harness
        const zk = harness.client()
        const { leader } = ensemble
        await leader?.refuse()
        const { id } = await settledWithin(clock, 2_000, zk.ready())
        await leader?.admit()
        const told: { readonly dialMs: number; readonly sameSession: boolean }[] = []
        zk.events.on('failover', (failover) => void told.push(failover))
        const node = ensemble.nodeOf(id)!
        if (then === 'stops') await node.stop()
        else {
          ensemble.script({ when: { op: 'connect', node: node.number }, do: 'silence' })
          for (const line of node.connections) line.reset()
        }
        await clock.advance(100)
        expect(told, `seed ${seed}`).toMatchObject([{ sameSession: true }])
        // The time that the scripted network takes for a connection and a handshake, without a wait of the client.
        expect(told[0]?.dialMs, `seed ${seed}`).toBeLessThan(5)
      }
    },
  )
})
