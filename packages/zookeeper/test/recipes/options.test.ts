import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { type Harness, openHarness } from '../harness.ts'

let harness: Harness
let client: Zookeeper

beforeEach(async () => {
  harness = await openHarness()
  client = harness.member().client
})
afterEach(() => harness.close())

const { signal } = new AbortController()
const stray = { timeoutMs: 100, signal } as never

describe('what is refused where it is made', () => {
  const makings: Readonly<Record<string, (client: Zookeeper) => unknown>> = {
    'lock.signal': (zk) => zk.lock('/a', stray),
    'rwLock.signal': (zk) => zk.rwLock('/a', stray),
    'semaphore.signal': (zk) => zk.semaphore('/a', 2, stray),
    'lock.timeoutMs': (zk) => zk.lock('/a', { timeoutMs: 0 }),
    'rwLock.timeoutMs': (zk) => zk.rwLock('/a', { timeoutMs: Number.NaN }),
    'semaphore.timeoutMs': (zk) => zk.semaphore('/a', 2, { timeoutMs: -1 }),
    'observe.timeoutMs': (zk) => zk.election('/a', { id: 'x' }).observe(stray),
  }

  it.each(Object.keys(makings))('%s, in the words of its user', (name) => {
    const problem = expect.objectContaining({
      name: 'ZookeeperError',
      code: 'config-invalid',
      message: expect.stringMatching(new RegExp(`^${name}: `)),
    })

    expect(() => makings[name]!(client)).toThrow(problem)
  })
})

describe('what a call rejects', () => {
  const calls: Readonly<Record<string, (client: Zookeeper) => Promise<unknown>>> = {
    'run.timeoutMs': (zk) => zk.election('/a', { id: 'x' }).run(failing, stray),
    'run.sigal': (zk) => zk.election('/a', { id: 'x' }).run(failing, { sigal: signal } as never),
    'ready.timeoutMs': (zk) => zk.ephemeral('/a', '').ready({ timeoutMs: Number.NaN }),
    'ready.timeout': (zk) => zk.ephemeral('/a', '').ready({ timeout: 5 } as never),
    'update.timeoutMs': (zk) => zk.ephemeral('/a', '').update('', { timeoutMs: 0 }),
    'withdraw.timeoutMs': (zk) => zk.ephemeral('/a', '').withdraw({ timeoutMs: 0 }),
    'restore.signal': (zk) => zk.ephemeral('/a', '').restore({ signal: 'no' as never }),
  }

  it.each(Object.keys(calls))('%s', async (name) => {
    await expect(calls[name]!(client)).rejects.toMatchObject({
      name: 'ZookeeperError',
      code: 'config-invalid',
      message: expect.stringMatching(new RegExp(`^${name}: `)),
    })
  })
})

// Ends a campaign that must not start.
async function failing(): Promise<void> {
  throw new Error('it ran')
}
