// One measurement in a fresh process: publishes as fast as confirms come, with a window, for a while.
import { bytes, createRabbit } from '@ha/rabbit'
import { connect } from 'amqplib'
import {
  type MeasurementTask,
  measureAndExit,
  measureAtFullSpeed,
  type StartOperation,
} from '../harness/paired-benchmark.ts'

export interface ThroughputTask extends MeasurementTask {
  readonly endpoint: string
  readonly window: number
  readonly bytes: number
}

const queue = 'throughput'

async function bare(task: ThroughputTask): Promise<StartOperation> {
  const model = await connect(`amqp://guest:guest@${task.endpoint}`, { noDelay: true })
  const channel = await model.createConfirmChannel()
  // Bounded, so that no consumer is needed: the cost of a publisher is measured here.
  await channel.assertQueue(queue, { durable: true, maxLength: 1_000 })
  const content = Buffer.alloc(task.bytes)
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

async function ours(task: ThroughputTask): Promise<StartOperation> {
  const rabbit = createRabbit({ addresses: task.endpoint })
  await rabbit.withChannel((channel) => channel.assertQueue(queue, { durable: true, maxLength: 1_000 }))
  const publisher = rabbit.publisher({ key: queue, codec: bytes(), maxInFlight: task.window })
  await rabbit.ready()
  const content = Buffer.alloc(task.bytes)
  return (confirmed) => void publisher.publish(content).then(confirmed)
}

await measureAndExit<ThroughputTask>(async (task) =>
  measureAtFullSpeed(task.subject === 'bare' ? await bare(task) : await ours(task), task),
)
