import { FakeClock, until } from '@ha/core/testing'
import { startFakeCluster } from '@ha/testing/rabbit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { QueueConsumer } from '../../src/consumer/consumer.ts'
import { RedeliveryCache } from '../../src/consumer/redelivery-cache.ts'
import { amqpDriver } from '../../src/driver/driver.ts'
import { resolveConsumeOptions } from '../../src/options.ts'

/** A consumer on a connection to a fake broker; its clock is the test's. */
async function subscribed() {
  const cluster = await startFakeCluster()
  const driver = amqpDriver({
    username: 'guest',
    password: 'guest',
    vhost: '/',
    tls: undefined,
    heartbeatSec: 0,
    connectionName: 'test',
  } as never)
  const [host = '', port = ''] = String(cluster.addresses[0]).split(':')
  const { signal } = new AbortController()
  const connection = await driver.open({ host, port: Number(port) }, signal)
  onTestFinished(async () => {
    driver.destroy(connection)
    await cluster.close()
  })
  const channel = await connection.model.createChannel()
  await channel.assertQueue('bill', { durable: true })
  const clock = new FakeClock()
  const lost: Error[] = []
  const ignore = (): void => undefined
  const consumer = new QueueConsumer(resolveConsumeOptions('bill', ignore, {}), {
    clock,
    random: () => 0.5,
    redeliveries: new RedeliveryCache(clock),
    callbacks: {
      onLost: (error) => lost.push(error),
      onQueueMissing: ignore,
      onAckReplayed: ignore,
      onAckLost: ignore,
      onHandlerFailed: ignore,
    },
    consumed: {
      tagPrefix: 'test',
      currentName: () => 'bill',
      argumentsFor: () => ({}),
      delaysReturns: false,
      connectToPublish: async () => connection,
    },
    timeoutMs: 5_000,
  })
  await consumer.declaration('consumer', [], 5_000).apply(connection, signal)
  const asked = (): number =>
    cluster.log
      .entries({ from: 'client', frame: 'queue.declare' })
      .filter(({ fields }) => fields?.['passive']).length
  return { cluster, clock, consumer, lost, asked, channel }
}

describe('an idle consumer', () => {
  it('finds out within about a minute that its queue is gone, though the broker does not cancel it', async () => {
    const { cluster, clock, lost, asked } = await subscribed()
    cluster.script({ when: { from: 'server', frame: 'basic.cancel' }, do: 'drop' })
    cluster.deleteQueue('bill')
    await clock.advance(59_000)
    expect([asked(), lost]).toEqual([0, []])
    await clock.advance(1_000)
    await until('it is reported', () => lost.length === 1)
    expect(lost[0]).toMatchObject({ code: 'queue-missing', serverCode: 404 })
    expect(lost[0]?.message).toContain("queue 'bill' no longer exists")
  })

  it('asks nothing while messages arrive, and nothing more when it has stopped', async () => {
    const { cluster, clock, consumer, lost, asked, channel } = await subscribed()
    await clock.advance(30_000)
    channel.sendToQueue('bill', Buffer.from('{}'))
    await until(
      'it is handled',
      () => cluster.log.entries({ from: 'client', frame: 'basic.ack' }).length === 1,
    )
    await clock.advance(30_000)
    expect(asked()).toBe(0)
    await clock.advance(60_000)
    await until('it asks', () => asked() === 1)
    await consumer.stop(new AbortController().signal)
    await clock.advance(600_000)
    expect([asked(), lost]).toEqual([1, []])
  })
})
