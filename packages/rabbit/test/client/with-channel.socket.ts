import { pause, until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { quorum } from '../../src/index.ts'
import { settlement } from '../settlement.ts'
import { startHarness } from './harness.ts'

const topology = { queues: { bill: quorum() } }

async function startChannelHarness() {
  const { rabbit, cluster } = await startHarness({ topology })
  await rabbit.ready()
  const channels = (): number => cluster.connections.reduce((total, { channels: n }) => total + n, 0)
  // The channel of the declaration is on its way out.
  await until('only the private channel is open', () => channels() === 1)
  return { rabbit, cluster, channels }
}

describe('a channel of one’s own', () => {
  it('ends when its work throws before it is asynchronous', async () => {
    const { rabbit, channels } = await startChannelHarness()
    const work = (): never => {
      throw new TypeError('a slip')
    }
    for (let i = 0; i < 5; i++) await rabbit.withChannel(work).catch(() => undefined)
    await until('all are ended', () => channels() === 1)
  })

  it('ends with its deadline when its work goes on', async () => {
    const { rabbit, channels } = await startChannelHarness()
    const work = (): Promise<void> => pause(60_000)
    expect(await settlement(rabbit.withChannel(work, { timeoutMs: 50 }))).toBe('timed-out unknown')
    await until('it is ended', () => channels() === 1)
  })

  it.each([
    ['a number that is a reply code of AMQP as well', Object.assign(new Error('service'), { code: 503 })],
    ['another number', Object.assign(new Error('page'), { code: 404 })],
    ['no number', new Error('no')],
    ['an error of another client', Object.assign(new Error('gone'), { code: 'lost' })],
    ['no error at all', 'a text'],
  ])('passes on what its work throws as it is: %s', async (_, thrown) => {
    const { rabbit } = await startChannelHarness()
    let runs = 0
    const work = async (): Promise<never> => {
      runs += 1
      throw thrown
    }
    const caught = await rabbit.withChannel(work, { repeatable: true }).catch((error: unknown) => error)
    expect([caught === thrown, runs, rabbit.health().consume.generation]).toEqual([true, 1, 1])
  })
})
