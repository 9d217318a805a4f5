import { describe, expect, it } from 'vitest'
import { contentsOf, openWorld, sessionMs } from './world.ts'

const instances = Array.from({ length: 20 }, (_, i) => `i${i}`)

describe('Z3: no server can be reached for twice the session', () => {
  it('is lost by our own clock, a session after the last answered request, and comes back whole', async () => {
    await using world = await openWorld()
    const { client } = world.member()
    const registrations = instances.map((id) =>
      client.discovery().register({ name: 'mqtt', id, address: `${id}.local` }),
    )
    await world.inTime(Promise.all(registrations.map((each) => each.ready())))
    const cache = client.cache('/config', { depth: 'tree' })
    await world.inTime(client.create('/config', 'old'))
    await world.clock.advance(1_000)
    const session = client.session
    const cutAtMs = world.clock.now()
    let lostAtMs = Number.NaN
    client.events.on('state', ({ state }) => {
      if (state === 'lost') lostAtMs = world.clock.now()
    })
    const lastAskedAtMs = lastRequestOf(world, session?.id ?? 0n)
    for (const node of world.ensemble.nodes) node.cut()
    await world.clock.advance(2 * sessionMs)
    const firedBy = session?.signal.aborted
    for (const node of world.ensemble.nodes) node.heal()
    const other = world.member().client
    await world.inTime(other.set('/config', 'new'))
    await world.inTime(client.ready())
    const connectedAtMs = world.clock.now()
    await world.clock.advance(2_000)

    expect(lostAtMs - lastAskedAtMs).toBeGreaterThanOrEqual(sessionMs * 0.95)
    expect(lostAtMs - lastAskedAtMs).toBeLessThanOrEqual(sessionMs * 1.05)
    expect(lostAtMs).toBeLessThan(cutAtMs + 2 * sessionMs)
    expect(firedBy).toBe(true)
    expect(client.session?.id).not.toBe(session?.id)
    expect([...contentsOf(world, '/services/mqtt').keys()]).toHaveLength(instances.length)
    const madeAtMs = world.ensemble
      .history()
      .filter(({ session: by }) => by === client.session?.id)
      .filter(({ changes }) =>
        changes.some(({ kind, path }) => kind === 'created' && path.startsWith('/services/mqtt/')),
      )
      .map(({ atMs }) => atMs)
    expect(Math.max(...madeAtMs)).toBeLessThanOrEqual(connectedAtMs + 2_000)
    expect(cache.current().get('/config')?.value.toString()).toBe('new')
  })

  it('tells every lease that it is over before a rival can have it', async () => {
    await using world = await openWorld()
    const { client, machine } = world.member()
    const rival = world.member().client
    const lease = await world.inTime(client.lock('/lock').acquire())
    const led: string[] = []
    let leads = true
    client
      .election('/lead', { id: 'first' })
      .run(async ({ signal }) => {
        led.push('first')
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        leads = false
      })
      .catch(() => undefined)
    await world.clock.advance(200)
    const stood: boolean[] = []
    const stop = new AbortController()
    const running = rival.election('/lead', { id: 'rival' }).run(
      async () => {
        stood.push(leads)
        stop.abort()
      },
      { signal: stop.signal },
    )
    const wanted = rival.lock('/lock').acquire({ timeoutMs: 4 * sessionMs })
    await world.clock.advance(500)
    machine.cut()
    const acquired = wanted.then((next) => ({
      over: lease.signal.aborted,
      valid: lease.valid(),
      token: next.token,
    }))
    const seen = await world.inTime(acquired)
    await world.inTime(running)

    expect(seen).toEqual({ over: true, valid: false, token: expect.any(BigInt) })
    expect(seen.token).toBeGreaterThan(lease.token)
    expect({ led, stood }).toEqual({ led: ['first'], stood: [false] })
  })
})

// When the latest request of a session that is answered was sent: the servers here answer in the same instant.
function lastRequestOf({ ensemble }: Awaited<ReturnType<typeof openWorld>>, session: bigint): number {
  return ensemble.log.entries({ session }).at(-1)?.atMs ?? Number.NaN
}
