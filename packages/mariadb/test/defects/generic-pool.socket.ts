import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { gone, isPendingAfter, pass } from './witness.ts'

interface Options {
  readonly max: number
}

interface Factory {
  readonly create: () => Promise<object>
  readonly destroy: () => Promise<void>
}

interface GenericPool {
  createPool(
    factory: Factory,
    options: Options,
  ): { acquire(): Promise<object>; clear(): Promise<void>; drain(): Promise<void> }
}

// A dependency of @ha/core, which keeps it behind one file.
const core = createRequire(new URL('../../../core/package.json', import.meta.url))
const { createPool } = core('generic-pool') as GenericPool

describe('in generic-pool', () => {
  it('a factory that fails at once is asked again without a pause (18)', async () => {
    let [calls, isOver] = [0, false]
    const create = async (): Promise<object> => {
      calls += 1
      if (isOver) return {}
      // One turn of the event loop, so that the test can continue.
      await pass(0)
      throw new Error('refused')
    }
    const pool = createPool({ create, destroy: async () => undefined }, { max: 1 })
    pool.acquire().catch(() => undefined)
    // With a real pause, fifty would take longer.
    await expect.poll(() => calls, { timeout: 5_000, message: gone }).toBeGreaterThan(50)
    isOver = true
  })

  it('who waits has no deadline (18)', async () => {
    const pool = createPool({ create: async () => ({}), destroy: async () => undefined }, { max: 1 })
    await pool.acquire()
    expect(await isPendingAfter(300, pool.acquire()), gone).toBe(true)
  })
})
