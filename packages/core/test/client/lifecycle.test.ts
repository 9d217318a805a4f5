import { Lifecycle } from '@ha/core/driver'
import { FakeClock, settle } from '@ha/core/testing'
import { expect, it } from 'vitest'
import { HaError } from '../../src/errors/ha-error.ts'

function make(clock: FakeClock) {
  const calls: string[] = []
  const life = new Lifecycle<string>({
    clock,
    closedError: () => new HaError('closed', 'the client is closed'),
    drain: async (timeoutMs, expired) => {
      calls.push(`drain ${timeoutMs}`)
      await clock.sleep(10_000, expired).catch(() => calls.push('expired'))
      return 'report'
    },
    end: async (timeoutMs) => {
      calls.push(`end ${timeoutMs}`)
    },
    endMs: (timeoutMs) => Math.min(500, timeoutMs / 2),
  })
  return { life, calls }
}

it('refuses calls as soon as draining begins, and drains once', async () => {
  const clock = new FakeClock()
  const { life, calls } = make(clock)
  life.checkOpen()
  const [first, second] = [life.drain(60_000), life.drain(60_000)]
  expect(life.state).toBe('draining')
  expect(life.closing.aborted).toBe(true)
  expect(() => life.checkOpen()).toThrow('the client is closed')
  await clock.advance(10_000)
  expect(await first).toBe('report')
  expect(await second).toBe('report')
  expect(calls).toEqual(['drain 60000'])
  expect(clock.pending).toBe(0)
})

it('shortens a drain that is under way when close has less time', async () => {
  const clock = new FakeClock()
  const { life, calls } = make(clock)
  const drain = life.drain(60_000)
  await settle()
  const close = life.close(2_000)
  await clock.advance(1_500)
  expect(await drain).toBe('report')
  expect(await close).toBe('report')
  expect(life.state).toBe('closed')
  expect(calls).toEqual(['drain 60000', 'expired', 'end 500'])
})

it('closes once', async () => {
  const clock = new FakeClock()
  const { life, calls } = make(clock)
  const closes = Promise.all([life.close(600), life.close(600)])
  await clock.advance(600)
  await closes
  expect(calls).toEqual(['drain 300', 'expired', 'end 300'])
})
