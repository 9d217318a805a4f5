import { describe, expect, it } from 'vitest'
import { contentsOf, openHarness, sessionMs } from '../harness.ts'

const instances = Array.from({ length: 20 }, (_, i) => `i${i}`)

describe('Z3: no server can be reached for twice the session', () => {
  it('is lost by our own clock, a session after the last answered request, and comes back whole', async () => {
    await using harness = await openHarness()
    const { client } = harness.member()
    const registrations = instances.map((id) =>
      client.discovery().register({ name: 'mqtt', id, address: `${id}.local` }),
    )
    await harness.inTime(Promise.all(registrations.map((each) => each.ready())))
    const cache = client.cache('/config', { depth: 'tree' })
    await harness.inTime(client.create('/config', 'old'))
    await harness.clock.advance(1_000)
    const session = client.session
    const cutAtMs = harness.clock.now()
    let lostAtMs = Number.NaN
    client.events.on('state', ({ state }) => {
      if (state === 'lost') lostAtMs = harness.clock.now()
    })
    const lastAskedAtMs = lastRequestOf(harness, session?.id ?? 0n)
    for (const node of harness.ensemble.nodes) node.cut()
    await harness.clock.advance(2 * sessionMs)
    const firedBy = session?.signal.aborted
    for (const node of harness.ensemble.nodes) node.heal()
    const other = harness.member().client
    await harness.inTime(other.set('/config', 'new'))
    await harness.inTime(client.ready())
    const connectedAtMs = harness.clock.now()
    await harness.clock.advance(2_000)

    expect(lostAtMs - lastAskedAtMs).toBeGreaterThanOrEqual(sessionMs * 0.95)
    expect(lostAtMs - lastAskedAtMs).toBeLessThanOrEqual(sessionMs * 1.05)
    expect(lostAtMs).toBeLessThan(cutAtMs + 2 * sessionMs)
    expect(firedBy).toBe(true)
    expect(client.session?.id).not.toBe(session?.id)
    expect([...contentsOf(harness, '/services/mqtt').keys()]).toHaveLength(instances.length)
    const madeAtMs = harness.ensemble
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
    await using harness = await openHarness()
    const { client, host } = harness.member()
    const rival = harness.member().client
    const lease = await harness.inTime(client.lock('/lock').acquire())
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
    await harness.clock.advance(200)
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
    await harness.clock.advance(500)
    host.cut()
    const acquired = wanted.then((next) => ({
      over: lease.signal.aborted,
      valid: lease.valid(),
      token: next.token,
    }))
    const seen = await harness.inTime(acquired)
    await harness.inTime(running)

    expect(seen).toEqual({ over: true, valid: false, token: expect.any(BigInt) })
    expect(seen.token).toBeGreaterThan(lease.token)
    expect({ led, stood }).toEqual({ led: ['first'], stood: [false] })
  })
})

// When the latest answered request of a session was sent: these servers answer at once.
function lastRequestOf({ ensemble }: Awaited<ReturnType<typeof openHarness>>, session: bigint): number {
  return ensemble.log.entries({ session }).at(-1)?.atMs ?? Number.NaN
}
