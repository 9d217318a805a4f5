import { expect, it } from 'vitest'
import { openClientHarness, settledWithin } from '../client-harness.ts'

it('what users log can be written as JSON', async () => {
  await using harness = await openClientHarness()
  const zk = harness.client()
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 4_000, work)
  const events: unknown[] = []
  for (const name of [
    'state',
    'failover',
    'sessionBegun',
    'sessionLost',
    'outcomeUnknown',
    'defect',
  ] as const)
    zk.events.on(name, (event) => void events.push(event))
  const session = await within(zk.ready())
  const created = await within(zk.create('/a', 'x'))
  const node = await within(zk.get('/a'))
  const lease = await within(zk.lock('/l').acquire())
  const ephemeral = zk.ephemeral('/e', 'x')
  await within(ephemeral.ready())
  const over = new AbortController()
  const election = zk.election('/v', { id: 'a' })
  const running = election.run(
    ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    { signal: over.signal },
  )
  running.catch(() => undefined)
  await harness.clock.advance(500)
  const leader = await within(election.leader())
  const cache = zk.cache('/a')
  await within(cache.ready())
  const probe = await within(zk.probe())
  const written = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

  expect(written(node?.stat)).toMatchObject({ czxid: String(node?.stat.czxid), version: 0 })
  expect(written(created)).toMatchObject({ stat: { mzxid: String(created.stat.mzxid) } })
  expect(written(lease)).toEqual({ path: lease.path, token: String(lease.token), valid: true })
  expect(written(session)).toMatchObject({ id: expect.stringMatching(/^0x/), epoch: 1 })
  expect(written(ephemeral.state)).toMatchObject({ kind: 'held', czxid: expect.stringMatching(/^\d+$/) })
  expect(written(leader)).toMatchObject({ id: 'a', token: String(leader?.token) })
  expect(written(probe)).toHaveLength(probe.length)
  expect(written([...cache.current()])).toMatchObject([['/a', { path: '/a' }]])
  expect(written(await within(zk.multi([{ kind: 'set', path: '/a', data: 'y' }])))).toMatchObject([
    { kind: 'set' },
  ])
  expect(written({ events, health: zk.health(), discovery: zk.discovery().health() })).toBeDefined()
  expect(JSON.stringify({ lease, session, zk })).not.toMatch(/password/)
  expect({ ...node?.stat }).toEqual(node?.stat)
  await harness.ensemble.close()
  const unreachable = await within(zk.probe({ timeoutMs: 500 }))
  expect(written(unreachable)).toMatchObject([{ error: { message: expect.any(String) } }, {}, {}])
})
