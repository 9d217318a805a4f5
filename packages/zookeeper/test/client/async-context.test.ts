import { AsyncLocalStorage } from 'node:async_hooks'
import { expect, it } from 'vitest'
import type { Lease } from '../../src/recipes/lock-node.ts'
import { openClientHarness, settledWithin } from '../client-harness.ts'

const request = new AsyncLocalStorage<string>()

it('keeps the asynchronous context of the caller in promises, callbacks, watches and retries', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const zk = harness.client()
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(clock, 10_000, work)
  await within(zk.create('/a', '1'))
  const seen: Record<string, string | undefined> = {}
  const see = (name: string): void => {
    seen[name] ??= request.getStore() ?? 'none'
  }
  const over = new AbortController()
  const all = request.run('mine', () => {
    const ephemeral = zk.ephemeral('/e', () => {
      see('ephemeral data')
      return 'x'
    })
    const taken = zk.ephemeral('/a', 'x', {
      takeover: () => {
        see('takeover')
        return false
      },
    })
    taken.ready().catch(() => undefined)
    const cache = zk.cache('/a', {
      decode: ({ data }) => {
        see('decode')
        return data.toString()
      },
    })
    cache.onChange(() => see('cache change'))
    cache.onStale(() => see('cache stale'))
    const registration = zk.discovery().register(
      { name: 's', id: 'a', address: 'h' },
      {
        health: {
          check: async () => {
            see('health check')
            return true
          },
        },
      },
    )
    const view = zk.discovery().service('s')
    const watching = (async () => {
      for await (const _event of zk.watch('/a', { kind: 'data', signal: over.signal })) see('watch')
    })().catch(() => undefined)
    const work = [
      zk.get('/a').then(() => see('get')),
      zk.lock('/l').run(async () => see('lock')),
      zk
        .counter('/c')
        .add(1)
        .then(() => see('counter')),
      ephemeral.ready().then(() => see('ready')),
      registration.ready(),
      view.ready().then(() => see('view')),
    ]
    const lead = ({ signal }: Lease): Promise<void> => {
      see('election')
      return new Promise((resolve) => {
        for (const each of [signal, over.signal]) each.addEventListener('abort', () => resolve())
      })
    }
    const leading = zk.election('/v', { id: 'a' }).run(lead, { signal: over.signal })
    leading.catch(() => undefined)
    return Promise.all([...work]).then(() => void watching)
  })
  await clock.advance(500)
  for (const node of ensemble.nodes) for (const connection of node.connections) connection.reset()
  await clock.advance(1_000)
  await within(zk.set('/a', '2', { repeatable: true }))
  await within(all)
  await clock.advance(1_000)
  over.abort()

  expect(new Set(Object.values(seen))).toEqual(new Set(['mine']))
  expect(Object.keys(seen).toSorted()).toEqual([
    'cache change',
    'cache stale',
    'counter',
    'decode',
    'election',
    'ephemeral data',
    'get',
    'health check',
    'lock',
    'ready',
    'takeover',
    'view',
    'watch',
  ])
})

it('runs listeners of events in the context in which they were added', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const zk = harness.client()
  const heard: (string | undefined)[] = []
  request.run('listener', () => zk.events.on('state', () => heard.push(request.getStore())))
  await request.run('first', () => settledWithin(clock, 10_000, zk.create('/a', '1')))
  const before = heard.length
  for (const node of ensemble.nodes) for (const connection of node.connections) connection.reset()
  await request.run('second', () => settledWithin(clock, 10_000, zk.get('/a')))
  expect(heard.length).toBeGreaterThan(before)
  expect(new Set(heard)).toEqual(new Set(['listener']))
})
