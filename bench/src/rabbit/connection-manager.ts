import { connect } from 'amqp-connection-manager'
import type { ConfirmChannel } from 'amqplib'
import {
  type Contestant,
  type ContestantMaker,
  type ContestantSetup,
  heartbeatSec,
  type PublishResult,
  unknownResult,
} from './contestant.ts'

/** amqp-connection-manager 5. */
export const connectionManager: ContestantMaker = {
  name: 'amqp-connection-manager',
  settings: (retryMs) =>
    `reconnectTimeInSeconds ${retryMs / 1_000}, heartbeatIntervalInSeconds ${heartbeatSec}`,
  async start(setup: ContestantSetup): Promise<Contestant> {
    const urls = setup.endpoints.map((endpoint) => `amqp://guest:guest@${endpoint}`)
    const manager = connect(urls, {
      reconnectTimeInSeconds: setup.retryMs / 1_000,
      heartbeatIntervalInSeconds: heartbeatSec,
      connectionOptions: { noDelay: true },
    })
    manager.on('disconnect', ({ err }) => setup.onNote(`disconnected: ${err?.message}`))
    const publisher = manager.createChannel({ confirm: true })
    const consumer = manager.createChannel({
      setup: async (channel: ConfirmChannel) => {
        await channel.prefetch(100)
        await channel.consume(
          setup.queue,
          (message) => {
            if (message === null) return
            setup.onMessage(message.content, message.fields.redelivered)
            channel.ack(message)
          },
          { arguments: setup.consumeArguments },
        )
      },
    })
    consumer.on('error', (error: Error) => setup.onNote(`consumer: ${error.message}`))
    publisher.on('error', (error: Error) => setup.onNote(`publisher: ${error.message}`))
    await Promise.all([publisher.waitForConnect(), consumer.waitForConnect()])
    return {
      async publish(content): Promise<PublishResult> {
        try {
          await publisher.publish('', setup.queue, content, { persistent: true, mandatory: true })
          return { outcome: 'confirmed', maybeDuplicate: false }
        } catch (error) {
          return unknownResult(error)
        }
      },
      close: () => manager.close(),
    }
  },
}
