import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { formatEndpoint } from '@ha/core'
import { bytes, createRabbit, type Rabbit } from '@ha/rabbit'
import { bothWays, type Faults, faultProxy } from '@ha/testing/proxy'
import { markdownTable, saveResults } from '../harness/report.ts'
import { withRabbitCluster } from './cluster.ts'
import { declareQueues } from './queues.ts'

interface Scenario {
  readonly name: string
  readonly run: (lab: Lab) => Promise<ScenarioResult>
}

interface ScenarioResult {
  readonly failovers: number
  readonly confirmed: number
  readonly rejected: number
  readonly took: string
}

const queue = 'false-alarms'
const ratePerSecond = 100

const scenarios: readonly Scenario[] = [
  { name: 'our own event loop blocked for 4 s, three times', run: blockedLoop },
  { name: 'memory alarm for 60 s', run: memoryAlarm },
  { name: '200 ms latency, 100 ms jitter, each way, for 20 s', run: slowLine },
  { name: 'one message of 12 MiB at 10 Mbit/s', run: largeMessage },
]

/** `npm run drill -- rabbit-false-alarms`: what looks like death and is none. One failover is one too many. */
export async function falseAlarmsDrill(): Promise<boolean> {
  return withRabbitCluster('drill', async (lab) => {
    await declareQueues(endpointOf(lab), 'quorum', [queue])
    const outcomes: (readonly [Scenario, ScenarioResult])[] = []
    for (const scenario of scenarios) {
      console.log(`${scenario.name} ...`)
      outcomes.push([scenario, await scenario.run(lab)])
    }
    const rows = outcomes.map(([{ name }, one]) => [
      name,
      one.took,
      String(one.failovers),
      String(one.confirmed),
      String(one.rejected),
    ])
    const table = markdownTable(['trial', 'took', 'failovers', 'confirmed', 'rejected'], rows)
    const title = `False alarms on RabbitMQ ${lab.version}`
    const where = saveResults('drill-rabbit-false-alarms', { title, table, pictures: [], data: outcomes })
    console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
    return outcomes.every(
      ([, { failovers, confirmed, rejected }]) => failovers === 0 && rejected === 0 && confirmed > 0,
    )
  })
}

async function blockedLoop(lab: Lab): Promise<ScenarioResult> {
  return underTraffic(addressesOf(lab), async () => {
    for (let block = 0; block < 3; block++) {
      await sleep(1_500)
      const untilMs = performance.now() + 4_000
      while (performance.now() < untilMs) void 0
    }
    await sleep(3_000)
  })
}

async function memoryAlarm(lab: Lab): Promise<ScenarioResult> {
  const node = lab.nodes[0]?.name ?? ''
  return underTraffic(addressesOf(lab), async () => {
    await lab.ctl(node, ['set_vm_memory_high_watermark', '0.00000001'])
    await sleep(60_000)
    await lab.ctl(node, ['set_vm_memory_high_watermark', '0.4'])
    await sleep(2_000)
  })
}

async function slowLine(lab: Lab): Promise<ScenarioResult> {
  const latency = bothWays({ kind: 'latency', delayMs: 200, jitterMs: 100 })
  return throughProxy(lab, latency, (address) => underTraffic([address], () => sleep(20_000)))
}

async function largeMessage(lab: Lab): Promise<ScenarioResult> {
  const narrow = bothWays({ kind: 'bandwidth', bytesPerSecond: 1_250_000 })
  return throughProxy(lab, narrow, (address) =>
    underTraffic([address], async (rabbit) => {
      const publisher = rabbit.publisher({ key: queue, codec: bytes() })
      await publisher.publish(Buffer.alloc(12 * 1024 * 1024))
      await sleep(2_000)
    }),
  )
}

async function throughProxy(
  lab: Lab,
  faults: Faults,
  work: (address: string) => Promise<ScenarioResult>,
): Promise<ScenarioResult> {
  const node = lab.nodes[0]
  if (node === undefined) throw new Error('the lab has no node')
  const proxy = await faultProxy({ to: node.endpoint })
  proxy.set(faults)
  try {
    return await work(formatEndpoint(proxy.endpoint))
  } finally {
    await proxy.close()
  }
}

// A steady trickle of messages, consumed again, while something happens.
async function underTraffic(
  addresses: readonly string[],
  work: (rabbit: Rabbit) => Promise<void>,
): Promise<ScenarioResult> {
  const rabbit = createRabbit({ addresses })
  let [failovers, confirmed, rejected] = [0, 0, 0]
  let isUp = false
  // A connection that is left counts, whether or not another one follows.
  rabbit.events.on('state', ({ role, state }) => {
    if (state !== 'dialing' || !isUp) return
    failovers += 1
    console.log(`  FALSE ALARM: the connection to ${role} was left`)
  })
  const publisher = rabbit.publisher({ key: queue, codec: bytes() })
  rabbit.consume(queue, () => undefined, { codec: bytes() })
  await rabbit.ready()
  isUp = true
  const content = Buffer.alloc(256)
  const publish = (): void =>
    void publisher.publish(content).then(
      () => {
        confirmed += 1
      },
      () => {
        rejected += 1
      },
    )
  const traffic = setInterval(publish, 1_000 / ratePerSecond)
  const startedAt = performance.now()
  try {
    await work(rabbit)
  } finally {
    clearInterval(traffic)
    await rabbit.close({ timeoutMs: 20_000 })
  }
  return { failovers, confirmed, rejected, took: `${((performance.now() - startedAt) / 1_000).toFixed(0)} s` }
}

function addressesOf(lab: Lab): readonly string[] {
  return lab.nodes.map(({ endpoint }) => formatEndpoint(endpoint))
}

function endpointOf(lab: Lab): string {
  return addressesOf(lab)[0] ?? ''
}
