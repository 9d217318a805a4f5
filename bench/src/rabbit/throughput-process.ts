// One measurement in a fresh process: publishes as fast as confirms come, with a window, for a while.
import { once } from 'node:events'
import { getHeapStatistics } from 'node:v8'
import { bytes, createRabbit } from '@ha/rabbit'
import { connect } from 'amqplib'

export interface ThroughputOrder {
  readonly who: 'bare' | 'ours'
  readonly endpoint: string
  readonly window: number
  readonly bytes: number
  readonly runMs: number
}

export interface ThroughputReading {
  readonly perSecond: number
  /** Processor time of this process for each message, in microseconds. */
  readonly cpuUs: number
  /** How much the heap grew for each message, in bytes: what was allocated, in a process that never collects. */
  readonly grownBytes: number
}

/** Publishes one message and calls back when it is confirmed. */
type PublishOne = (confirmed: () => void) => void

const queue = 'throughput'
const warmUpMs = 700

async function bare(order: ThroughputOrder): Promise<PublishOne> {
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

async function ours(order: ThroughputOrder): Promise<PublishOne> {
  const rabbit = createRabbit({ addresses: order.endpoint })
  await rabbit.withChannel((channel) => channel.assertQueue(queue, { durable: true, maxLength: 1_000 }))
  const publisher = rabbit.publisher({ key: queue, codec: bytes(), maxInFlight: order.window })
  await rabbit.ready()
  const content = Buffer.alloc(order.bytes)
  return (confirmed) => void publisher.publish(content).then(confirmed)
}

async function measure(order: ThroughputOrder): Promise<ThroughputReading> {
  const publishOne = order.who === 'bare' ? await bare(order) : await ours(order)
  let done = 0
  const confirmed = (): void => {
    done += 1
    publishOne(confirmed)
  }
  for (let i = 0; i < order.window; i++) publishOne(confirmed)
  await sleep(warmUpMs)
  const heapBefore = used()
  const [doneBefore, cpuBefore, fromMs] = [done, process.cpuUsage(), performance.now()]
  await sleep(order.runMs)
  const [messages, cpu, tookMs] = [done - doneBefore, process.cpuUsage(cpuBefore), performance.now() - fromMs]
  return {
    perSecond: messages / (tookMs / 1_000),
    cpuUs: (cpu.user + cpu.system) / messages,
    grownBytes: (used() - heapBefore) / messages,
  }
}

function used(): number {
  return getHeapStatistics().used_heap_size
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

const [order] = (await once(process, 'message')) as [ThroughputOrder]
process.send?.(await measure(order))
process.exit(0)
