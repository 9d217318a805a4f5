import { HaError } from '@ha/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import type { Ephemeral } from '../../src/recipes/ephemeral.ts'
import { type Harness, openHarness } from '../harness.ts'

// An error of the application's function that looks like a failed connection.
const thrown: readonly Error[] = [
  Object.assign(new Error('db'), { code: 'ECONNREFUSED' }),
  Object.assign(new Error('socket'), { code: 'ECONNRESET' }),
  new HaError('lost', 'away', { retryable: true }),
  new Error('plain'),
]

/** The functions of the application that are called when the node is created. */
const functions: Readonly<Record<string, (client: Zookeeper, fn: () => never) => Ephemeral>> = {
  data: (client, fn) => client.ephemeral('/e', fn),
  takeover: (client, fn) => client.ephemeral('/taken', '', { takeover: fn }),
}

let harness: Harness
let defects: string[]

beforeEach(async () => {
  harness = await openHarness()
  defects = []
})
afterEach(() => harness.close())

function member(): Zookeeper {
  const { client } = harness.member()
  client.events.on('defect', ({ where }) => void defects.push(where))
  return client
}

describe.each(Object.keys(functions))('the %s function of an ephemeral', (name) => {
  it.each(thrown)('that throws hurts nothing beside it, and says so once (%s)', async (error) => {
    const theirs = harness.member().client
    await harness.inTime(theirs.create('/taken', '', { kind: 'ephemeral' }))
    const client = member()
    const lease = await harness.inTime(client.lock('/l').acquire())
    const failovers: unknown[] = []
    client.events.on('failover', (told) => void failovers.push(told))
    const ephemeral = functions[name]!(client, () => {
      throw error
    })
    await harness.clock.advance(5_000)

    expect(failovers).toEqual([])
    expect(lease.valid()).toBe(true)
    expect(ephemeral.state).toMatchObject({
      kind: 'pending',
      reason: { code: 'internal', cause: error, path: ephemeral.path },
    })
    expect(defects).toEqual([`ephemeral ${ephemeral.path}`])
  })
})

it('the acl function of a client that throws fails the call, and nothing else', async () => {
  const error = Object.assign(new Error('db'), { code: 'ECONNREFUSED' })
  const { client } = harness.member({
    acl: () => {
      throw error
    },
  })
  const failovers: unknown[] = []
  client.events.on('failover', (told) => void failovers.push(told))
  const ephemeral = client.ephemeral('/e', '')
  const calls = [
    () => client.create('/a'),
    () => client.create('/b/c', '', { parents: true }),
    () => client.multi([{ kind: 'create', path: '/d' }]),
  ]

  for (const call of calls)
    await expect(harness.inTime<unknown>(call())).rejects.toMatchObject({
      name: 'ZookeeperError',
      code: 'internal',
      cause: error,
    })
  await harness.clock.advance(5_000)
  expect(failovers).toEqual([])
  expect(ephemeral.state).toMatchObject({ kind: 'pending', reason: { code: 'internal', cause: error } })
})

it('a function that threw is asked again until it does not', async () => {
  let fails = 3
  const ephemeral = member().ephemeral('/e', () => {
    if (fails-- > 0) throw new Error('not yet')
    return 'data'
  })
  await harness.inTime(ephemeral.ready())

  expect(harness.ensemble.tree().get('/e')?.data?.toString()).toBe('data')
})

it('what an update cannot ask for is told though the node stays, and is written later', async () => {
  const client = member()
  const ephemeral = client.ephemeral('/e', 'old')
  await harness.inTime(ephemeral.ready())
  let fails = true
  const updating = ephemeral.update(
    () => {
      if (fails) throw new Error('not yet')
      return 'new'
    },
    { timeoutMs: 1_000 },
  )
  await expect(harness.inTime(updating)).rejects.toMatchObject({ code: 'internal' })
  expect([ephemeral.state.kind, defects]).toEqual(['held', ['ephemeral /e']])
  fails = false
  await harness.clock.advance(2_000)

  expect(harness.ensemble.tree().get('/e')?.data?.toString()).toBe('new')
})
