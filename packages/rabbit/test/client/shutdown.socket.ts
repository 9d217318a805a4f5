import { pause, until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { quorum, type Rabbit } from '../../src/index.ts'
import { settlement } from '../settlement.ts'
import { startHarness } from './harness.ts'

const topology = { queues: { bill: quorum() } }

/** A client with one handler at work that takes so long. */
async function atWork(workMs: number) {
  const harness = await startHarness({ topology })
  let isAtWork = false
  const consumer = harness.rabbit.consume('bill', async () => {
    isAtWork = true
    await pause(workMs)
  })
  await harness.rabbit.publisher({ key: 'bill' }).publish({})
  await until('the handler is at work', () => isAtWork)
  return { ...harness, consumer }
}

/** How many milliseconds a close took, and its report. */
async function timed(rabbit: Rabbit, timeoutMs: number) {
  const fromMs = performance.now()
  const report = await rabbit.close({ timeoutMs })
  return { tookMs: performance.now() - fromMs, report }
}

describe('close', () => {
  it('ends by its own deadline, and counts, when a longer drain is under way', async () => {
    const { rabbit, cluster } = await atWork(60_000)
    const drained = rabbit.drain({ timeoutMs: 10_000 })
    const { tookMs, report } = await timed(rabbit, 400)
    expect(tookMs).toBeLessThan(1_000)
    expect(report).toEqual({ confirmed: 0, unknown: 0, notSent: 0, abandoned: 1 })
    expect(await drained).toEqual(report)
    await until('the message is back', () => cluster.queue('bill')?.ready === 1)
  })

  it('ends what is published by its own deadline, when a longer drain is under way', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    await rabbit.ready()
    cluster.script({ when: { from: 'client', frame: 'basic.publish' }, do: 'lose-confirm' })
    const outcome = settlement(rabbit.publisher({ key: 'bill' }).publish({}))
    await until('it is sent', () => rabbit.health().outbox.unconfirmed === 1)
    const drained = rabbit.drain({ timeoutMs: 10_000 })
    const { tookMs, report } = await timed(rabbit, 400)
    expect(tookMs).toBeLessThan(1_000)
    expect(report).toMatchObject({ unknown: 1, notSent: 0 })
    expect([await drained, await outcome]).toEqual([report, 'closed unknown'])
  })

  it('waits for the handlers of a consumer that is being stopped, and their acks arrive', async () => {
    const { rabbit, cluster, consumer } = await atWork(200)
    const stopped = consumer.stop({ timeoutMs: 5_000 })
    expect(await rabbit.close({ timeoutMs: 3_000 })).toMatchObject({ abandoned: 0 })
    expect(await stopped).toEqual({ abandoned: 0 })
    expect(cluster.queue('bill')).toMatchObject({ ready: 0, unacked: 0 })
  })

  it('counts the handlers of a consumer that is being stopped', async () => {
    const { rabbit, consumer } = await atWork(60_000)
    const stopped = consumer.stop({ timeoutMs: 60_000 })
    expect((await timed(rabbit, 300)).report).toMatchObject({ abandoned: 1 })
    expect(await stopped).toEqual({ abandoned: 1 })
  })

  it('tells the broker goodbye within its time, however short', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    await rabbit.ready()
    for (const node of cluster.nodes) node.freeze()
    expect((await timed(rabbit, 100)).tookMs).toBeLessThan(350)
  })
})

describe('being ready', () => {
  it('is refused when the client ends meanwhile', async () => {
    const { rabbit } = await startHarness({
      topology: { bindings: [{ exchange: 'amq.topic', queue: 'late' }] },
    })
    const waiting = settlement(rabbit.ready())
    await until('it is connected', () => rabbit.health().consume.state === 'ready')
    await rabbit.close()
    expect(await waiting).toBe('closed not-done')
  })

  it('of a consumer is refused when it is stopped, before and after', async () => {
    const { rabbit } = await startHarness()
    const consumer = rabbit.consume('nowhere', () => undefined)
    const waiting = settlement(consumer.ready())
    await until('it is tried', () => consumer.status === 'retrying')
    await consumer.stop()
    expect([await waiting, await settlement(consumer.ready())]).toEqual([
      'closed not-done',
      'closed not-done',
    ])
  })

  it('of a consumer is timed out with the reason', async () => {
    const { rabbit } = await startHarness()
    const consumer = rabbit.consume('nowhere', () => undefined)
    await expect(consumer.ready({ timeoutMs: 200 })).rejects.toMatchObject({
      code: 'timed-out',
      message: expect.stringMatching(
        /^no consumer on 'nowhere' within 200 ms: .*NOT_FOUND - no queue 'nowhere'/,
      ),
      cause: { code: 'queue-missing' },
    })
  })

  it('is timed out with the reason as its cause', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    await expect(rabbit.ready({ timeoutMs: 300 })).rejects.toMatchObject({
      code: 'timed-out',
      cause: { code: 'unreachable' },
    })
  })

  it('takes its default where nothing is said', async () => {
    const { rabbit } = await startHarness({ topology })
    const nothing = { timeoutMs: undefined } as object
    expect(await settlement(rabbit.ready(nothing))).toBe('confirmed')
    expect(await rabbit.withChannel(async () => 7, nothing)).toBe(7)
    expect(await settlement(rabbit.consume('bill', () => undefined).ready(nothing))).toBe('confirmed')
    expect(await rabbit.close(nothing)).toMatchObject({ abandoned: 0 })
  })
})
