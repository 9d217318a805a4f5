import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { assembleClient } from '../../src/create-client.ts'
import { resolveZookeeperOptions } from '../../src/options.ts'
import { type Harness, openHarness } from '../harness.ts'

const noNode = -101
const badVersion = -103

interface Busy {
  /** Each step succeeds, and another client is faster each time. */
  readonly prepare: (client: Zookeeper) => Promise<unknown>
  readonly call: (client: Zookeeper, timeoutMs: number) => Promise<unknown>
}

const calls: Readonly<Record<string, Busy>> = {
  'an addition that others overtake': {
    prepare: async (client) => {
      await client.create('/c', '0')
      harness.ensemble.script({ when: { op: 'set-data' }, do: 'refuse', code: badVersion })
    },
    call: (client, timeoutMs) => client.counter('/c').add(1, { timeoutMs }),
  },
  'a look at leaders that go': {
    prepare: async (client) => {
      await client.create('/e/rank0-0000000000', '', { parents: true })
      harness.ensemble.script({ when: { op: 'get-children2' }, do: 'delay', delayMs: 0.5 })
      harness.ensemble.script({ when: { op: 'get-data' }, do: 'refuse', code: noNode })
    },
    call: (client, timeoutMs) => client.election('/e', { id: 'a' }).leader({ timeoutMs }),
  },
  'a watched look at a node that comes and goes': {
    prepare: async (client) => {
      await client.create('/n')
      harness.ensemble.script({ when: { op: 'exists' }, do: 'delay', delayMs: 0.5 })
      harness.ensemble.script({ when: { op: 'get-data' }, do: 'refuse', code: noNode })
    },
    call: (_, timeoutMs) => watchedLook('/n', timeoutMs),
  },
  'the deletion of a crowded folder': {
    prepare: async (client) => {
      await client.create('/f')
      for (let child = 0; child < 300; child++) await client.create(`/f/${child}`)
      harness.ensemble.script({ when: { op: 'delete' }, do: 'delay', delayMs: 0.9 })
    },
    call: (client, timeoutMs) => client.delete('/f', { recursive: true, timeoutMs }),
  },
}

let harness: Harness

beforeEach(async () => {
  harness = await openHarness()
})
afterEach(() => harness.close())

// Only caches and recipes read in this way, within deadlines of their own.
async function watchedLook(path: string, timeoutMs: number): Promise<unknown> {
  const { clock, ensemble } = harness
  const dial: typeof ensemble.dial = (...to) => ensemble.dial(...to)
  const made = assembleClient(resolveZookeeperOptions(ensemble.connectString), {
    clock,
    random: () => 0.5,
    dial,
  })
  try {
    return await made.context.watchedReads.get(path, () => undefined, { timeoutMs })
  } finally {
    void made.lifecycle.close(100)
  }
}

it.each(Object.keys(calls))('%s ends at its deadline', async (name) => {
  const { client } = harness.member()
  const { prepare, call } = calls[name]!
  await harness.inTime(prepare(client))
  const begunAtMs = harness.clock.now()
  const failing = call(client, 100)
  failing.catch(() => undefined)
  let endedAtMs = Number.POSITIVE_INFINITY
  const ended = (): void => {
    endedAtMs = harness.clock.now()
  }
  failing.then(ended, ended)
  for (let passedMs = 0; passedMs < 1_000 && endedAtMs > harness.clock.now(); passedMs += 1)
    await harness.clock.advance(1)

  expect(endedAtMs - begunAtMs).toBeLessThanOrEqual(102)
  await expect(failing).rejects.toMatchObject({ name: 'ZookeeperError', code: 'timed-out' })
})
