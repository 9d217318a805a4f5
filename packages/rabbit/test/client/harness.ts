import { type FakeCluster, type FakeClusterOptions, startFakeCluster } from '@ha/testing/rabbit'
import { onTestFinished } from 'vitest'
import { createRabbit, type Rabbit, type RabbitOptions } from '../../src/index.ts'

export interface Harness {
  readonly cluster: FakeCluster
  readonly rabbit: Rabbit
  /** Every event of the client, in order. */
  readonly events: readonly RecordedEvent[]
}

export interface RecordedEvent {
  readonly name: string
  readonly event: Readonly<Record<string, unknown>>
}

const eventNames = [
  'failover',
  'blocked',
  'unblocked',
  'stalled',
  'publishRejected',
  'routeRefused',
  'topologyConflict',
  'consumerLost',
  'ackReplayed',
  'ackLost',
  'handlerFailed',
  'replyFailed',
] as const

/** A client of a fake cluster of three, tried in order; both are closed at the end of the test. */
export async function startHarness(
  options: Partial<RabbitOptions> = {},
  clusterOptions: FakeClusterOptions = {},
): Promise<Harness> {
  const cluster = await startFakeCluster({ nodes: 3, ...clusterOptions })
  const rabbit = createRabbit({
    addresses: cluster.addresses,
    strategy: 'sequential',
    failBackAfterMs: Number.POSITIVE_INFINITY,
    ...options,
  })
  const events: RecordedEvent[] = []
  for (const name of eventNames)
    rabbit.events.on(name, (event) => void events.push({ name, event: { ...event } }))
  onTestFinished(async () => {
    await rabbit.close({ timeoutMs: 600 })
    await cluster.close()
  })
  return { cluster, rabbit, events }
}
