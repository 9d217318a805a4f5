import { AsyncLocalStorage } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { until } from '@ha/core/testing'
import { expect, test } from 'vitest'
import { galeraHarness } from './harness.ts'

interface Trace {
  readonly id: string
}

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')
const context = new AsyncLocalStorage<Trace>()

test('the store of a request is collected while its connections, monitors and listeners go on', async () => {
  const { db, cluster } = await galeraHarness()
  const heard: (Trace | undefined)[] = []
  const onEvent = (): void => void heard.push(context.getStore())
  for (const name of ['host', 'failover'] as const) db.events.on(name, onEvent)
  const request = async (id: string): Promise<WeakRef<Trace>> => {
    const trace = { id }
    await context.run(trace, async () => {
      await db.query('INSERT INTO t VALUES (?, 1)', [id])
      await Promise.all(Array.from({ length: 5 }, () => db.query('SELECT v FROM t')))
      await db.transaction(async (tx) => {
        await tx.query('SELECT v FROM t')
        expect(context.getStore()?.id).toBe(id)
      })
      expect(context.getStore()?.id).toBe(id)
    })
    return new WeakRef(trace)
  }
  const first = await request('first')
  await until('the first is collected', () => {
    collect()
    return first.deref() === undefined
  })
  const before = heard.length
  cluster.nodes[0]?.kill()
  await until('the client has noticed', () => heard.length > before)
  const second = await request('second')
  await until('the second is collected', () => {
    collect()
    return second.deref() === undefined
  })
  expect(new Set(heard)).toEqual(new Set([undefined]))
  await request('third')
})
