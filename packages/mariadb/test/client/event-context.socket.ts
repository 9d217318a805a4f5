import { AsyncLocalStorage } from 'node:async_hooks'
import { until } from '@ha/core/testing'
import { expect, test } from 'vitest'
import { galeraHarness } from './harness.ts'

const context = new AsyncLocalStorage<string>()

test('logins, and listeners of events, never run in the context of the caller that came first', async () => {
  const logins: (string | undefined)[] = []
  const { db, cluster } = await context.run('application', () =>
    galeraHarness({
      password: () => {
        logins.push(context.getStore())
        return ''
      },
    }),
  )
  const heard: (string | undefined)[] = []
  context.run('listener', () => {
    for (const name of ['host', 'failover'] as const) db.events.on(name, () => heard.push(context.getStore()))
  })
  const read = (): Promise<unknown> => db.query('SELECT v FROM t')
  await context.run('first', () => Promise.all(Array.from({ length: 5 }, read)))
  const before = { logins: logins.length, heard: heard.length }
  cluster.nodes[0]?.kill()
  await context.run('second', read)
  await context.run('third', () => db.query("INSERT INTO t VALUES ('a', 1)"))
  await until('it has moved', () => logins.length > before.logins && heard.length > before.heard)
  expect(new Set(logins)).toEqual(new Set(['application']))
  expect(new Set(heard)).toEqual(new Set(['listener']))
})
