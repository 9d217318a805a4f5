import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { type ClientHarness, openClientHarness, settledWithin } from '../client-harness.ts'

/** All calls that wait for a server and accept a signal. */
const waits: Readonly<Record<string, (client: Zookeeper, signal: AbortSignal) => Promise<unknown>>> = {
  get: (client, signal) => client.get('/a', { signal }),
  create: (client, signal) => client.create('/a', '', { signal }),
  ready: (client, signal) => client.ready({ signal }),
  watch: (client, signal) => client.watch('/a', { kind: 'data', signal }).next(),
  watchRecursive: (client, signal) => client.watchRecursive('/a', { signal }).next(),
  // The former name, for one version.
  watchBelow: (client, signal) => client.watchBelow('/a', { signal }).next(),
  'ephemeral ready': (client, signal) => client.ephemeral('/a', '').ready({ signal }),
  'lock acquire': (client, signal) => client.lock('/a').acquire({ signal }),
  'barrier enter': (client, signal) => client.barrier('/a', 2).enter({ signal }),
  'cache ready': (client, signal) => client.cache('/a').ready({ signal }),
  'view ready': (client, signal) => client.discovery().service('a').ready({ signal }),
  'registration ready': (client, signal) =>
    client.discovery().register({ name: 'a', address: 'b' }).ready({ signal }),
  'counter add': (client, signal) => client.counter('/a').add(1, { signal }),
}

/** Reasons of callers: none, an error of their own, and one that resembles an error of this package. */
const reasons: readonly unknown[] = [
  undefined,
  new Error('enough'),
  Object.assign(new Error('x'), { code: 'lost' }),
]

describe.each(Object.keys(waits))('%s', (name) => {
  let harness: ClientHarness
  let client: Zookeeper

  beforeEach(async () => {
    harness = await openClientHarness()
    for (const node of harness.ensemble.nodes) await node.kill()
    client = harness.client()
  })
  afterEach(() => harness[Symbol.asyncDispose]())

  it.each(reasons)('is aborted by its caller’s signal (%s)', async (reason) => {
    const stop = new AbortController()
    const failing = failure(waits[name]?.(client, stop.signal))
    await harness.clock.advance(200)
    stop.abort(reason)

    const error = await failing

    expect(error).toMatchObject({ name: 'ZookeeperError', code: 'aborted', retryable: true })
    expect(error.cause).toBeDefined()
  })

  it('says that the client is closed when that is so', async () => {
    const failing = failure(waits[name]?.(client, new AbortController().signal))
    await harness.clock.advance(200)
    const closing = client.close()

    expect(await failing).toMatchObject({ name: 'ZookeeperError', code: 'closed', retryable: false })
    await harness.clock.advance(2_000)
    await closing
  })
})

describe('the signal of a caller who waits for news, with every server well', () => {
  const news: Readonly<Record<string, (client: Zookeeper, signal: AbortSignal) => AsyncGenerator<unknown>>> =
    {
      watch: (client, signal) => client.watch('/a', { kind: 'exists', signal }),
      watchRecursive: (client, signal) => client.watchRecursive('/', { signal }),
    }

  it.each(Object.keys(news))('aborts a %s', async (name) => {
    await using harness = await openClientHarness()
    const stop = new AbortController()
    const told = news[name]?.(harness.client(), stop.signal)
    const failing = failure(following(told))
    await harness.clock.advance(500)
    stop.abort()

    expect(await failing).toMatchObject({ name: 'ZookeeperError', code: 'aborted', retryable: true })
  })
})

describe('watchRecursive', () => {
  it('begins with `missed`: what happened before its watch was set is told by nobody', async () => {
    await using harness = await openClientHarness()
    const client = harness.client()
    await settledWithin(harness.clock, 1_000, client.ready())
    harness.ensemble.script({ when: { op: 'add-watch', times: 1 }, do: 'delay', delayMs: 500 })
    const events = client.watchRecursive('/a')
    const first = events.next()
    await settledWithin(harness.clock, 1_000, harness.client().create('/a'))

    expect(await settledWithin(harness.clock, 1_000, first)).toMatchObject({
      value: { kind: 'missed', path: '/a' },
    })
  })

  it('asks again when a server turns its first request away for now', async () => {
    await using harness = await openClientHarness()
    const client = harness.client()
    const throttled = -127
    harness.ensemble.script({ when: { op: 'add-watch', times: 1 }, do: 'refuse', code: throttled })
    const events = client.watchRecursive('/')
    const missed = events.next()
    await harness.clock.advance(1_000)
    await missed
    const next = events.next()
    const creating = client.create('/a')
    await harness.clock.advance(100)
    await creating

    expect((await next).value).toEqual({ kind: 'created', path: '/a' })
  })

  it('goes on to the next server when the connection ends over its first request', async () => {
    await using harness = await openClientHarness()
    const client = harness.client()
    harness.ensemble.script({ when: { op: 'add-watch', times: 1 }, do: 'cut', how: 'reset' })
    const events = client.watchRecursive('/')
    const missed = events.next()
    await harness.clock.advance(500)
    await missed
    const next = events.next()
    const creating = client.create('/a')
    await harness.clock.advance(100)
    await creating

    expect((await next).value).toEqual({ kind: 'created', path: '/a' })
  })
})

async function following(told: AsyncIterable<unknown> | undefined): Promise<void> {
  for await (const _ of told ?? []);
}

async function failure(work: Promise<unknown> | undefined): Promise<Error> {
  try {
    await work
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not fail')
}
