import { until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { classic, createRabbit, type Delivery, quorum } from '../../src/index.ts'
import { startHarness } from './harness.ts'

const topology = { queues: { bill: quorum() } }

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
}

describe('a message that is published anew under its old id', () => {
  it('is not answered for the old one, though it comes as handed out before', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    const publisher = rabbit.publisher({ key: 'bill' })
    const rounds: unknown[] = []
    rabbit.consume<number>('bill', async ({ body, messageId, signal }) => {
      const round = rounds.push(body)
      if (round === 1) await publisher.publish(2, { messageId: messageId ?? '' })
      // The second round is cut off by the loss of its connection.
      if (round === 2) await aborted(signal)
    })
    await publisher.publish(1, { messageId: 'job-1' })
    await until('the copy is at work', () => rounds.length === 2 && cluster.queue('bill')?.unacked === 1)
    await cluster.node(1).kill()
    await until('it is done', () => rounds.length === 3 && cluster.queue('bill')?.unacked === 0)
    expect(rounds).toEqual([1, 2, 2])
    expect(events.filter(({ name }) => name === 'ackReplayed')).toEqual([])
  })

  it('is not rejected again when it comes back through a dead-letter exchange', async () => {
    const { rabbit, cluster, events } = await startHarness({
      topology: {
        queues: {
          bill: quorum({ deadLetterExchange: '', deadLetterKey: 'later' }),
          later: classic({ deadLetterExchange: '', deadLetterKey: 'bill', messageTtlMs: 50 }),
        },
      },
    })
    let runs = 0
    rabbit.consume('bill', async ({ signal }) => {
      runs += 1
      if (runs === 1) return 'reject'
      if (runs === 2) await aborted(signal)
      return 'ack'
    })
    await rabbit.ready()
    await rabbit.publisher({ key: 'bill' }).publish({}, { messageId: 'job-1' })
    await until('it is back', () => runs === 2)
    await cluster.node(1).kill()
    await until('it is done', () => runs === 3 && cluster.queue('bill')?.unacked === 0)
    expect(events.filter(({ name }) => name === 'ackReplayed')).toEqual([])
  })
})

describe('two messages of one id that come as handed out before', () => {
  it('are both handled and both answered', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    await rabbit.ready()
    const other = createRabbit({ addresses: cluster.addresses })
    const held = other.consume('bill', () => new Promise<void>(() => undefined))
    await held.ready()
    const publisher = rabbit.publisher<number>({ key: 'bill' })
    await publisher.publish(1, { messageId: 'order-7' })
    await publisher.publish(2, { messageId: 'order-7' })
    await until('somebody has them', () => cluster.queue('bill')?.unacked === 2)
    await other.close({ timeoutMs: 50 })
    const seen: Delivery<number>[] = []
    const goOn: (() => void)[] = []
    rabbit.consume<number>('bill', (delivery) => {
      seen.push(delivery)
      return new Promise((resolve) => goOn.push(resolve))
    })
    await until('both are at work', () => seen.length === 2)
    for (const resolve of goOn) resolve()
    await until('the queue is empty', () => cluster.queue('bill')?.unacked === 0)
    expect(seen.map(({ body, redelivered }) => [body, redelivered])).toEqual([
      [1, true],
      [2, true],
    ])
    expect(cluster.queue('bill')?.ready).toBe(0)
  })
})
