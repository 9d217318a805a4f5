import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { formatEndpoint } from '@ha/core'
import { bytes, createRabbit, isHaError, type Publisher } from '@ha/rabbit'
import { positive, readOptions } from '../harness/args.ts'
import { markdownTable, saveResults } from '../harness/report.ts'
import { withRabbitCluster } from './cluster.ts'
import { declareQueues } from './queues.ts'

const queue = 'outage'
const ratePerSecond = 1_000
const contentBytes = 1_024
const bufferBytes = 64 * 1024 * 1024
const limitBytes = 1.3 * bufferBytes + 50 * 1024 * 1024

interface Counts {
  published: number
  turnedAway: number
  confirmed: number
  lost: number
  maybeDuplicate: number
}

/** `npm run drill -- rabbit-outage`: all three nodes away for a minute at 1 000 messages of 1 KiB a second. */
export async function outageDrill(argv: readonly string[]): Promise<boolean> {
  const seconds = positive(readOptions(argv, ['seconds'])['seconds'], 60, 'seconds')
  return withRabbitCluster('drill', async (lab) => {
    const addresses = lab.nodes.map(({ endpoint }) => formatEndpoint(endpoint))
    await declareQueues(addresses[0] ?? '', 'quorum', [queue])
    const rabbit = createRabbit({ addresses, outbox: { maxBytes: bufferBytes, maxMessages: 100_000 } })
    const publisher = rabbit.publisher({ key: queue, codec: bytes() })
    await rabbit.ready()
    const { counts, stop } = startTraffic(publisher)
    await sleep(3_000)
    const memory = memoryWatch()
    await outage(lab, seconds)
    const backAt = performance.now()
    stop()
    const { unknown, notSent } = await rabbit.drain({ timeoutMs: 120_000 })
    const drainedMs = performance.now() - backAt
    const grownBytes = memory()
    await rabbit.close()
    report(lab, seconds, { counts, drainedMs, grownBytes })
    const kept = counts.confirmed + counts.turnedAway === counts.published && unknown + notSent === 0
    return kept && grownBytes < limitBytes
  })
}

function startTraffic(publisher: Publisher<Uint8Array>): {
  readonly counts: Counts
  readonly stop: () => void
} {
  const counts: Counts = { published: 0, turnedAway: 0, confirmed: 0, lost: 0, maybeDuplicate: 0 }
  const publish = async (): Promise<void> => {
    counts.published += 1
    try {
      const { maybeDuplicate } = await publisher.publish(Buffer.alloc(contentBytes, counts.published))
      counts.confirmed += 1
      if (maybeDuplicate) counts.maybeDuplicate += 1
    } catch (error) {
      // A full outbox says so at once, and nothing of it is sent: that is no accepted message.
      if (isHaError(error) && error.code === 'buffer-full') counts.turnedAway += 1
      else counts.lost += 1
    }
  }
  const startedAt = performance.now()
  const timer = setInterval(() => {
    while (counts.published < ((performance.now() - startedAt) * ratePerSecond) / 1_000) void publish()
  }, 10)
  return { counts, stop: () => clearInterval(timer) }
}

interface Measured {
  readonly counts: Counts
  readonly drainedMs: number
  readonly grownBytes: number
}

function report(lab: Lab, seconds: number, measured: Measured): void {
  const { counts, drainedMs, grownBytes } = measured
  const rows = [
    ['published', String(counts.published)],
    ['rejected at once, buffer full', String(counts.turnedAway)],
    ['confirmed', String(counts.confirmed)],
    ['accepted and not confirmed', String(counts.lost)],
    ['receipts that say maybeDuplicate', String(counts.maybeDuplicate)],
    ['all confirmed after', `${(drainedMs / 1_000).toFixed(1)} s`],
    ['memory grew by, at the most', mib(grownBytes)],
    ['allowed: 1.3 x buffer + 50 MiB', mib(limitBytes)],
  ]
  const title = `All nodes of RabbitMQ ${lab.version} away for ${seconds} s, ${ratePerSecond} messages/s of ${contentBytes} bytes`
  const table = markdownTable(['what', 'measured'], rows)
  const where = saveResults('drill-rabbit-outage', { title, table, pictures: [], data: measured })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

async function outage(lab: Lab, seconds: number): Promise<void> {
  const names = lab.nodes.map(({ name }) => name)
  console.log(`killing all of ${names.join(', ')}`)
  const leases = await Promise.all(names.map((name) => lab.kill(name)))
  await sleep(seconds * 1_000)
  console.log('starting them again')
  await Promise.all(leases.map((lease) => lease.heal()))
  await lab.ready({ timeoutMs: 120_000 })
}

// Samples the resident memory; the returned function ends that and says by how much it grew at the most.
function memoryWatch(): () => number {
  const before = process.memoryUsage.rss()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 200)
  return () => {
    clearInterval(timer)
    return most - before
  }
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(0)} MiB`
}
