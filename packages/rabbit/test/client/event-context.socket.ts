import { AsyncLocalStorage } from 'node:async_hooks'
import { until } from '@ha/core/testing'
import { expect, test } from 'vitest'
import { quorum } from '../../src/index.ts'
import { startHarness } from './harness.ts'

const context = new AsyncLocalStorage<string>()

test('logins, and listeners of events, never run in the context of the caller that came first', async () => {
  const logins: (string | undefined)[] = []
  const { rabbit, cluster } = await context.run('application', () =>
    startHarness({
      topology: { queues: { q: quorum() } },
      password: () => {
        logins.push(context.getStore())
        return 'guest'
      },
    }),
  )
  const heard: (string | undefined)[] = []
  context.run('listener', () => {
    const { events } = rabbit
    for (const name of ['state', 'failover'] as const) events.on(name, () => heard.push(context.getStore()))
  })
  const first = context.run('first', () => rabbit.publisher({ key: 'q' }))
  await context.run('first', () => first.publish({}))
  const before = { logins: logins.length, heard: heard.length }
  cluster.nodes[0]?.kill()
  await context.run('second', () => first.publish({}))
  await until('it has moved', () => logins.length > before.logins && heard.length > before.heard)
  expect(new Set(logins)).toEqual(new Set(['application']))
  expect(new Set(heard)).toEqual(new Set(['listener']))
})
