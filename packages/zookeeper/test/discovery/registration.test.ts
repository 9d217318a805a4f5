import { describe, expect, it } from 'vitest'
import { Discovery } from '../../src/discovery/discovery.ts'
import type { RegisterOptions, RegistrationState } from '../../src/discovery/registration.ts'
import { FakeContext } from './fake-context.ts'

function registering(options: RegisterOptions = {}) {
  const context = new FakeContext()
  const registration = new Discovery(context).register(
    { name: 'mqtt', id: 'a', address: '10.0.0.1' },
    options,
  )
  const told: RegistrationState['kind'][] = []
  registration.events.on('state', ({ kind }) => {
    told.push(kind)
  })
  return { context, clock: context.clock, registration, told, node: () => context.ephemerals[0] }
}

/** A health gate with one check a second, and the results of the next checks. */
function gated(options: RegisterOptions = {}) {
  const health = { well: true }
  const gate = { check: () => health.well, intervalMs: 1_000, failures: 3, successes: 2, minDwellMs: 10_000 }
  return { health, ...registering({ health: gate, ...options }) }
}

describe('a registration', () => {
  it('is made at once when nothing has to be checked', async () => {
    const { clock, registration, node } = registering()
    await clock.advance(0)
    expect(registration.state).toEqual({ kind: 'registered', path: '/services/mqtt/a' })
    expect(node()?.listed).toMatchObject({ name: 'mqtt', id: 'a', address: '10.0.0.1', payload: null })
  })

  it('is not made before the time to warm up is over', async () => {
    const { clock, registration, told } = registering({ warmupMs: 5_000 })
    await clock.advance(4_999)
    expect(registration.state).toEqual({ kind: 'pending', reason: undefined })
    await clock.advance(1)
    expect(told).toEqual(['registered'])
  })

  it('is not made before the first check has passed, and says why', async () => {
    const { clock, health, registration, node } = gated()
    health.well = false
    await clock.advance(5_000)
    expect({ made: node(), state: registration.state }).toMatchObject({
      made: undefined,
      state: { kind: 'pending', reason: { message: 'the health check returned false' } },
    })
  })

  it('says why it is not registered when its node is taken', async () => {
    const { clock, registration, node } = registering()
    await clock.advance(0)
    node()?.become({ kind: 'pending', reason: new Error('taken') })
    expect(registration.state).toEqual({ kind: 'pending', reason: new Error('taken') })
    const ready = registration.ready({ timeoutMs: 100 })
    ready.catch(() => undefined)
    await clock.advance(100)
    await expect(ready).rejects.toMatchObject({ code: 'timed-out', cause: new Error('taken') })
  })

  it('is ready when it is registered', async () => {
    const { clock, registration } = registering({ warmupMs: 500 })
    const ready = registration.ready()
    await clock.advance(500)
    await expect(ready).resolves.toBeUndefined()
  })

  it('is listed with what an update says', async () => {
    const { clock, registration, node } = registering()
    await clock.advance(0)
    await registration.update({ address: '10.0.0.9', metadata: { zone: 'b' } })
    expect(node()?.listed).toMatchObject({ address: '10.0.0.9', payload: { metadata: { zone: 'b' } } })
    expect(node()?.written.map(({ what }) => what)).toEqual(['made', 'set'])
  })

  it('refuses an update that cannot be, and stays as it is', async () => {
    const { clock, registration, node } = registering()
    await clock.advance(0)
    await expect(registration.update({ port: 70_000 })).rejects.toMatchObject({ code: 'config-invalid' })
    expect(node()?.written.map(({ what }) => what)).toEqual(['made'])
  })

  it('is gone once it is closed, and leaves no timer behind', async () => {
    const { clock, registration, told, node } = gated()
    await clock.advance(0)
    await registration.close()
    await registration.close()
    expect({ told, written: node()?.written.map(({ what }) => what) }).toEqual({
      told: ['registered', 'closed'],
      written: ['made', 'deleted'],
    })
    expect(clock.pending).toBe(0)
    await expect(registration.ready()).rejects.toMatchObject({ code: 'closed' })
    await expect(registration.update({})).rejects.toMatchObject({ code: 'closed' })
  })

  it('is closed with its client', async () => {
    const { context, clock, registration } = gated()
    await clock.advance(0)
    context.closing.abort(new Error('the client is closed'))
    expect(registration.state).toEqual({ kind: 'closed' })
    expect(clock.pending).toBe(0)
  })
})

describe('a registration whose checks fail', () => {
  it('is withdrawn in time, while its process keeps running', async () => {
    const { clock, health, registration, node } = gated()
    await clock.advance(500)
    health.well = false
    await clock.advance(3_000)
    expect(registration.state).toMatchObject({
      kind: 'withheld',
      reason: { message: 'the health check returned false' },
    })
    expect(node()?.written).toEqual([
      { atMs: 0, what: 'made' },
      { atMs: 3_000, what: 'deleted' },
    ])
  })

  it('comes back when it has been well for a while', async () => {
    const { clock, health, registration, node } = gated()
    await clock.advance(500)
    health.well = false
    await clock.advance(3_000)
    health.well = true
    await clock.advance(9_000)
    expect(registration.state.kind).toBe('withheld')
    await clock.advance(1_000)
    expect(registration.state.kind).toBe('registered')
    expect(node()?.written.at(-1)).toEqual({ atMs: 13_000, what: 'made' })
  })

  it('is written once when they flap every second', async () => {
    const { clock, health, node } = gated()
    await clock.advance(500)
    health.well = false
    await clock.advance(3_000)
    for (let second = 0; second < 300; second += 1) {
      health.well = !health.well
      await clock.advance(1_000)
    }
    expect(node()?.written.map(({ what }) => what)).toEqual(['made', 'deleted'])
  })

  it('tells what has changed, and not that nothing has', async () => {
    const { clock, health, registration, told } = gated()
    await clock.advance(500)
    health.well = false
    await clock.advance(60_000)
    expect({ told, state: registration.state }).toMatchObject({
      told: ['registered', 'withheld'],
      state: { reason: { message: 'the health check returned false' } },
    })
  })

  it('tells of another reason', async () => {
    let says = 'no database'
    const check = (): never => {
      throw new Error(says)
    }
    const { clock, registration } = registering({ health: { check } })
    const told: unknown[] = []
    registration.events.on('state', (state) => {
      told.push('reason' in state && state.reason?.message)
    })
    await clock.advance(5_000)
    says = 'no queue'
    await clock.advance(5_000)
    expect(told).toEqual(['no database', 'no queue'])
  })

  it('is flagged instead, where that is asked for', async () => {
    const { clock, health, registration, node, told } = gated({ onUnhealthy: 'flag' })
    await clock.advance(500)
    health.well = false
    await clock.advance(3_000)
    expect(registration.state.kind).toBe('flagged')
    expect(node()?.listed).toMatchObject({
      enabled: false,
      payload: { metadata: { instance_status: 'OUT_OF_SERVICE' } },
    })
    health.well = true
    await clock.advance(10_000)
    expect(node()?.listed).not.toHaveProperty('enabled')
    expect(told).toEqual(['registered', 'flagged', 'registered'])
    expect(node()?.written.map(({ what }) => what)).toEqual(['made', 'set', 'set'])
  })

  it('is not registered by an update', async () => {
    const { clock, health, registration, node } = gated()
    await clock.advance(500)
    health.well = false
    await clock.advance(3_000)
    await registration.update({ address: '10.0.0.9' })
    expect(node()?.written.map(({ what }) => what)).toEqual(['made', 'deleted'])
    health.well = true
    await clock.advance(10_000)
    expect(node()?.listed).toMatchObject({ address: '10.0.0.9' })
  })
})

describe('a registration that drains', () => {
  it('is out of service first, and gone after a while', async () => {
    const { clock, registration, node } = gated()
    await clock.advance(0)
    const drained = registration.drain(2_000)
    await clock.advance(1_999)
    expect({ state: registration.state.kind, listed: node()?.listed }).toMatchObject({
      state: 'draining',
      listed: { enabled: false },
    })
    await clock.advance(1)
    await drained
    expect(node()?.written.map(({ what }) => what)).toEqual(['made', 'set', 'deleted'])
  })

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY, undefined])(
    'is not begun for a time that is none: %s',
    async (ms) => {
      const { clock, registration } = gated()
      await clock.advance(0)
      await expect(registration.drain(ms as number)).rejects.toMatchObject({ code: 'config-invalid' })
      expect(registration.state.kind).toBe('registered')
    },
  )

  it('is not listed for that when it was not', async () => {
    const { clock, health, registration, node } = gated()
    health.well = false
    const drained = registration.drain(1_000)
    await clock.advance(1_000)
    await drained
    expect(node()).toBeUndefined()
  })

  it('does not come back because a check passes or fails', async () => {
    const { clock, health, registration, node } = gated()
    await clock.advance(0)
    const drained = registration.drain(60_000)
    health.well = false
    await clock.advance(20_000)
    health.well = true
    await clock.advance(40_000)
    await drained
    expect(node()?.written.map(({ what }) => what)).toEqual(['made', 'set', 'deleted'])
  })

  it('goes at once when it is closed', async () => {
    const { clock, registration } = gated()
    await clock.advance(0)
    const drained = registration.drain(60_000)
    await registration.close()
    await drained
    expect(registration.state.kind).toBe('closed')
    expect(clock.pending).toBe(0)
  })
})
