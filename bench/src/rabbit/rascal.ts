import { createRequire } from 'node:module'
import {
  type Contestant,
  type ContestantMaker,
  type ContestantSetup,
  heartbeatSec,
  type PublishResult,
  unknownResult,
} from './contestant.ts'

// Rascal 21 ships no types; these are the few parts that a contestant needs.
interface Publication {
  on(event: 'success', listener: (messageId: string) => void): this
  on(event: 'error' | 'return', listener: (error: Error) => void): this
}
interface Subscription {
  on(
    event: 'message',
    listener: (message: RascalMessage, content: Buffer, ackOrNack: () => void) => void,
  ): this
  on(event: 'error' | 'invalid_content', listener: (error: Error) => void): this
}
interface RascalMessage {
  readonly fields: { readonly redelivered: boolean }
}
interface Broker {
  publish(name: string, content: Buffer): Promise<Publication>
  subscribe(name: string): Promise<Subscription>
  shutdown(): Promise<void>
  on(event: 'error', listener: (error: Error) => void): this
}
interface Rascal {
  readonly BrokerAsPromised: { create(config: unknown): Promise<Broker> }
  withDefaultConfig(config: unknown): unknown
}

const rascalLibrary = createRequire(import.meta.url)('rascal') as Rascal

/** Rascal 21 with a short heartbeat, in a fixed order of nodes. */
export const rascal: ContestantMaker = {
  name: 'rascal',
  settings: (retryMs) =>
    `retry min ${retryMs}, max ${10 * retryMs}, heartbeat ${heartbeatSec}, connectionStrategy fixed`,
  async start(setup: ContestantSetup): Promise<Contestant> {
    const broker = await rascalLibrary.BrokerAsPromised.create(
      rascalLibrary.withDefaultConfig(configOf(setup)),
    )
    broker.on('error', (error) => setup.onNote(`broker: ${error.message}`))
    const subscription = await broker.subscribe('in')
    subscription
      .on('message', (message, content, ackOrNack) => {
        setup.onMessage(content, message.fields.redelivered)
        ackOrNack()
      })
      .on('error', (error) => setup.onNote(`subscription: ${error.message}`))
    return {
      publish: (content) => published(broker, content),
      close: () => broker.shutdown(),
    }
  },
}

function published(broker: Broker, content: Buffer): Promise<PublishResult> {
  return new Promise((resolve) => {
    const failed = (error: unknown): void => resolve(unknownResult(error))
    broker.publish('out', content).then((publication) => {
      publication
        .on('success', () => resolve({ outcome: 'confirmed', maybeDuplicate: false }))
        .on('error', failed)
        .on('return', () => failed(new Error('returned')))
    }, failed)
  })
}

function configOf({ endpoints, queue, consumeArguments, retryMs }: ContestantSetup): unknown {
  const retry = { min: retryMs, max: 10 * retryMs, factor: 2, strategy: 'exponential' }
  return {
    vhosts: {
      '/': {
        connectionStrategy: 'fixed',
        connections: endpoints.map((endpoint) => ({
          url: `amqp://guest:guest@${endpoint}/?heartbeat=${heartbeatSec}`,
          retry,
          socketOptions: { noDelay: true },
        })),
        // The queue exists; its kind is not rascal's business.
        queues: { [queue]: { assert: false, check: true } },
        publications: { out: { queue, confirm: true } },
        subscriptions: { in: { queue, prefetch: 100, retry, options: { arguments: consumeArguments } } },
      },
    },
  }
}
