import { subscribe } from 'node:diagnostics_channel'
import { createRequire } from 'node:module'
import { bytes, createRabbit, isHaError } from '@ha/rabbit'
import { connect } from 'amqp-connection-manager'
import type { ConfirmChannel } from 'amqplib'
import { Connection } from 'rabbitmq-client'

/** What every client under test is given. */
interface ClientSetup {
  /** `host:port` of each node, in the order in which they are to be tried. */
  readonly endpoints: readonly string[]
  /** A durable queue that exists; published to through the default exchange. */
  readonly queue: string
  /** Arguments with which a consumer of that queue is notified when the queue moves. */
  readonly consumeArguments: Readonly<Record<string, unknown>>
  /** How long a client waits before it connects again, where that can be configured. */
  readonly retryMs: number
  readonly onMessage: (content: Buffer, redelivered: boolean) => void
  /** Reports an event that belongs in the result. */
  readonly onNote: (note: string) => void
}

/**
 * The shortest heartbeat that RabbitMQ's guide does not warn of: below five seconds it calls false alarms likely.
 * Where the server proposes less, clients on amqplib take that.
 */
const heartbeatSec = 5

/** How a publish ended, in terms common to all clients. */
export type PublishResult =
  | { readonly outcome: 'confirmed'; readonly maybeDuplicate: boolean }
  | { readonly outcome: 'not-done' | 'unknown'; readonly error: string }

/** A client under test: publishes with confirms to one queue and consumes it. */
interface ClientUnderTest {
  publish(content: Buffer): Promise<PublishResult>
  close(): Promise<void>
}

/** A client library with its documented settings for fast recovery. */
interface ClientAdapter {
  readonly name: string
  /** Which settings, for the report. */
  readonly settings: (retryMs: number) => string
  start(setup: ClientSetup): Promise<ClientUnderTest>
}

/** A rejection that does not say what happened: the outcome is unknown. */
function unknownResult(error: unknown): PublishResult {
  return { outcome: 'unknown', error: error instanceof Error ? error.message : String(error) }
}

/** Our own client, with its defaults; the order of the nodes is given, and it stays where it went. */
export const ours: ClientAdapter = {
  name: '@ha/rabbit',
  settings: () => 'defaults; nodes in the given order, no fail-back',
  async start(setup: ClientSetup): Promise<ClientUnderTest> {
    const rabbit = createRabbit({
      addresses: setup.endpoints,
      strategy: 'sequential',
      failBackAfterMs: Number.POSITIVE_INFINITY,
    })
    rabbit.events.on('failover', ({ role, from, to, cause, detectMs, dialMs, restoreMs, replayed }) => {
      const times = `detect ${Math.round(detectMs)}, dial ${Math.round(dialMs)}, restore ${Math.round(restoreMs)} ms`
      setup.onNote(`${role}: ${from} -> ${to} (${cause}; ${times}; ${replayed} replayed)`)
    })
    subscribe('ha:rabbit:lane-lost', (message) => {
      const { how, error } = message as { how: string; error: Error }
      setup.onNote(`lane ${how}: ${error.message}`)
    })
    rabbit.events.on('stalled', ({ unconfirmed, forMs }) =>
      setup.onNote(`stalled: ${unconfirmed} for ${forMs} ms`),
    )
    const publisher = rabbit.publisher({ key: setup.queue, codec: bytes() })
    const onDelivery = ({ content, redelivered }: { content: Buffer; redelivered: boolean }): void =>
      setup.onMessage(content, redelivered)
    rabbit.consume(setup.queue, onDelivery, {
      codec: bytes(),
      prefetch: 100,
      arguments: setup.consumeArguments,
    })
    await rabbit.ready()
    return {
      async publish(content): Promise<PublishResult> {
        try {
          const { maybeDuplicate } = await publisher.publish(content)
          return { outcome: 'confirmed', maybeDuplicate }
        } catch (error) {
          if (!isHaError(error) || error.outcome === 'done') throw error
          return { outcome: error.outcome, error: `${error.code}: ${error.message}` }
        }
      },
      async close() {
        await rabbit.close()
      },
    }
  },
}

/** amqp-connection-manager 5. */
export const connectionManager: ClientAdapter = {
  name: 'amqp-connection-manager',
  settings: (retryMs) =>
    `reconnectTimeInSeconds ${retryMs / 1_000}, heartbeatIntervalInSeconds ${heartbeatSec}`,
  async start(setup: ClientSetup): Promise<ClientUnderTest> {
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

/** rabbitmq-client 5 with a short heartbeat and its publisher's own retries. */
const rabbitmqClient: ClientAdapter = {
  name: 'rabbitmq-client',
  settings: (retryMs) =>
    `retryLow ${retryMs}, retryHigh ${10 * retryMs}, heartbeat ${heartbeatSec}, maxAttempts 10`,
  async start(setup: ClientSetup): Promise<ClientUnderTest> {
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

// Rascal 21 ships no types; these are the parts that the adapter needs.
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
const rascal: ClientAdapter = {
  name: 'rascal',
  settings: (retryMs) =>
    `retry min ${retryMs}, max ${10 * retryMs}, heartbeat ${heartbeatSec}, connectionStrategy fixed`,
  async start(setup: ClientSetup): Promise<ClientUnderTest> {
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

function configOf({ endpoints, queue, consumeArguments, retryMs }: ClientSetup): unknown {
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

/** All clients under test, ours first. */
export const clientAdapters: readonly ClientAdapter[] = [ours, connectionManager, rabbitmqClient, rascal]

/** The adapter of that name; throws when there is none. */
export function adapterNamed(name: string): ClientAdapter {
  const maker = clientAdapters.find((client) => client.name === name)
  if (maker === undefined) throw new Error(`there is no client '${name}'`)
  return maker
}
