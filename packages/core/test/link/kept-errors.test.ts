import { describe, expect, it } from 'vitest'
import { fullJitter } from '../../src/policy/backoff.ts'
import { Budget } from '../../src/policy/retry.ts'
import { run } from '../../src/run.ts'
import { FakeError } from '../../src/testing/fake-driver.ts'
import { linkBench } from './link-bench.ts'

// An error that tells whether its stack has been read: until then it holds whatever it was made in (see kept.ts).
function watched(code: FakeError['code'] = 'broken') {
  const error = new FakeError(code)
  let read = false
  const stack = String(error.stack)
  Object.defineProperty(error, 'stack', {
    get: () => {
      read = true
      return stack
    },
  })
  return { error, read: () => read }
}

async function connected() {
  const bench = linkBench()
  const lease = bench.acquire()
  await bench.clock.advance(10)
  return { ...bench, lease: await lease }
}

describe('what is kept of an error holds nothing else in memory', () => {
  it('in the loss of a connection, and the reason of its lease', async () => {
    const { link, lease } = await connected()
    const { error, read } = watched()
    link.fail(lease, error)
    expect(lease.signal.reason).toMatchObject({ code: 'lost', cause: error })
    expect(read()).toBe(true)
  })

  it('in the view of the cluster', async () => {
    const { options } = await connected()
    const { error, read } = watched()
    const { endpoint } = options.registry.view.members[0]!
    options.registry.observe({ kind: 'failed', endpoint, atMs: 0, error })
    expect(read()).toBe(true)
  })

  it.each(['busy', 'conflict'] as const)('in the standing of a declaration (%s)', async (code) => {
    const { clock, link } = await connected()
    const { error, read } = watched(code)
    const apply = (): Promise<never> => Promise.reject(error)
    link.desiredState.declare({ key: 'odd', needs: [], gates: false, survives: false, timeoutMs: 100, apply })
    await clock.advance(10)
    expect(read()).toBe(true)
  })

  it('in a declaration that was invalidated', async () => {
    const { link } = await connected()
    const { error, read } = watched()
    link.invalidate('queue', error)
    expect(read()).toBe(true)
  })

  it('in the attempts of an operation', async () => {
    const { clock, link, driver } = await connected()
    const { error, read } = watched('busy')
    const backoff = fullJitter({ baseMs: 50, maxMs: 1_000 })
    const runner = { source: link, driver, clock, random: () => 0.5, backoff, budget: new Budget() }
    const operation = { name: 'purge', timeoutMs: 1_000, repeatable: false }
    const outcome = run(runner, operation, () => Promise.reject(error)).catch(() => undefined)
    await clock.advance(10)
    expect(read()).toBe(true)
    await clock.advance(1_000)
    await outcome
  })
})
