import { AsyncLocalStorage } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { until } from '@ha/core/testing'
import { startFakeEnsemble } from '@ha/testing/zookeeper'
import { expect, test } from 'vitest'
import { createZookeeper } from '../../src/index.ts'

interface Trace {
  readonly id: string
}

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')
const context = new AsyncLocalStorage<Trace>()

test('the store of a request is collected while its connections, monitors and listeners go on', async () => {
  await using ensemble = await startFakeEnsemble({ tickTimeMs: 200 })
  await using zk = createZookeeper({ connect: ensemble.connectString, sessionTimeoutMs: 4_000 })
  const heard: (Trace | undefined)[] = []
  zk.events.on('state', () => heard.push(context.getStore()))
  const request = async (id: string): Promise<WeakRef<Trace>> => {
    const trace = { id }
    await context.run(trace, async () => {
      await zk.create(`/${id}`, '1')
      await zk.get(`/${id}`)
      await zk.lock('/lock').run(async () => {
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
  for (const node of ensemble.nodes) for (const connection of node.connections) connection.reset()
  await until('it has noticed', () => heard.length > before)
  await zk.get('/first')
  const second = await request('second')
  await until('the second is collected', () => {
    collect()
    return second.deref() === undefined
  })
  expect(new Set(heard)).toEqual(new Set([undefined]))
  await request('third')
})
