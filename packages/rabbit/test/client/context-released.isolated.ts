import { AsyncLocalStorage } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { until } from '@ha/core/testing'
import { expect, test } from 'vitest'
import { quorum } from '../../src/index.ts'
import { startHarness } from './harness.ts'

interface Trace {
  readonly id: string
}

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')
const context = new AsyncLocalStorage<Trace>()

test('the store of a request is collected while its connections, monitors and listeners go on', async () => {
  const { rabbit, cluster } = await startHarness({ topology: { queues: { q: quorum(), r: quorum() } } })
  const heard: (Trace | undefined)[] = []
  const onEvent = (): void => void heard.push(context.getStore())
  for (const name of ['state', 'failover'] as const) rabbit.events.on(name, onEvent)
  const publisher = rabbit.publisher({ key: 'q' })
  rabbit.consume('r', onEvent)
  const request = async (id: string): Promise<WeakRef<Trace>> => {
    const trace = { id }
    await context.run(trace, async () => {
      await rabbit.publisher({ key: 'r' }).publish({ id })
      await publisher.publish({ id })
      expect(context.getStore()?.id).toBe(id)
    })
    return new WeakRef(trace)
  }
  const first = await request('first')
  await until('the first is collected', () => {
    collect()
    return first.deref() === undefined
  })
  cluster.nodes[0]?.kill()
  const second = await request('second')
  await until('it has moved', () => heard.length > 0)
  await until('the second is collected', () => {
    collect()
    return second.deref() === undefined
  })
  expect(new Set(heard)).toEqual(new Set([undefined]))
  await request('third')
})
