import { Connection } from 'rabbitmq-client'
import {
  type Contestant,
  type ContestantMaker,
  type ContestantSetup,
  heartbeatSec,
  type PublishResult,
  unknownResult,
} from './contestant.ts'

/** rabbitmq-client 5 with a short heartbeat and its publisher's own retries. */
export const rabbitmqClient: ContestantMaker = {
  name: 'rabbitmq-client',
  settings: (retryMs) =>
    `retryLow ${retryMs}, retryHigh ${10 * retryMs}, heartbeat ${heartbeatSec}, maxAttempts 10`,
  async start(setup: ContestantSetup): Promise<Contestant> {
    const connect = (): Connection => {
      const connection = new Connection({
        hosts: [...setup.endpoints],
        username: 'guest',
        password: 'guest',
        heartbeat: heartbeatSec,
        retryLow: setup.retryMs,
        retryHigh: 10 * setup.retryMs,
        noDelay: true,
      })
      connection.on('error', (error: Error) => setup.onNote(`connection: ${error.message}`))
      return connection
    }
    const publishing = connect()
    const consuming = connect()
    const publisher = publishing.createPublisher({ confirm: true, maxAttempts: 10 })
    const consumer = consuming.createConsumer(
      {
        queue: setup.queue,
        // The queue exists; its kind is not the client's business.
        queueOptions: { passive: true },
        qos: { prefetchCount: 100 },
        arguments: setup.consumeArguments,
      },
      async ({ body, redelivered }) => setup.onMessage(body as Buffer, redelivered),
    )
    consumer.on('error', (error: Error) => setup.onNote(`consumer: ${error.message}`))
    await Promise.all([publishing.onConnect(10_000), consuming.onConnect(10_000)])
    return {
      async publish(content): Promise<PublishResult> {
        try {
          await publisher.send({ routingKey: setup.queue, durable: true, mandatory: true }, content)
          return { outcome: 'confirmed', maybeDuplicate: false }
        } catch (error) {
          return unknownResult(error)
        }
      },
      async close() {
        await consumer.close()
        await publisher.close()
        await Promise.all([publishing.close(), consuming.close()])
      },
    }
  },
}
