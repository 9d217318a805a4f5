// One measurement in a fresh process: publishes as fast as confirms come, with a window, for a while.
import { bytes, createRabbit } from '@ha/rabbit'
import { connect } from 'amqplib'
import { atFullSpeed, type Begin, measureAndExit } from '../harness/full-speed.ts'
import type { Order } from '../harness/pairs.ts'

export interface ThroughputOrder extends Order {
  readonly endpoint: string
  readonly window: number
  readonly bytes: number
}

const queue = 'throughput'

async function bare(order: ThroughputOrder): Promise<Begin> {
  const model = await connect(`amqp://guest:guest@${order.endpoint}`, { noDelay: true })
  const channel = await model.createConfirmChannel()
  // Bounded, so that nobody has to consume: what a publisher costs is measured here.
  await channel.assertQueue(queue, { durable: true, maxLength: 1_000 })
  const content = Buffer.alloc(order.bytes)
  let number = 0
  return (confirmed) => {
    number += 1
    // The same properties as ours, so that the same bytes go over the wire.
    const properties = {
      messageId: `bare-0123456789ab-1-${number.toString(36)}`,
      contentType: 'application/octet-stream',
      persistent: true,
      mandatory: true,
    }
    channel.publish('', queue, content, properties, confirmed)
  }
}

async function ours(order: ThroughputOrder): Promise<Begin> {
  const rabbit = createRabbit({ addresses: order.endpoint })
  await rabbit.withChannel((channel) => channel.assertQueue(queue, { durable: true, maxLength: 1_000 }))
  const publisher = rabbit.publisher({ key: queue, codec: bytes(), maxInFlight: order.window })
  await rabbit.ready()
  const content = Buffer.alloc(order.bytes)
  return (confirmed) => void publisher.publish(content).then(confirmed)
}

await measureAndExit<ThroughputOrder>(async (order) =>
  atFullSpeed(order.who === 'bare' ? await bare(order) : await ours(order), order),
)
