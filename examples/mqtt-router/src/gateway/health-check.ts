import { randomUUID } from 'node:crypto'
import { connect, type MqttClient } from 'mqtt'
import { disableNagle } from '../no-delay.ts'

/** The result of one check of a gateway. */
export type CheckResult =
  | { readonly kind: 'answered'; readonly latencyMs: number }
  | { readonly kind: 'failed'; readonly error: Error }

/** The limits that a healthy gateway stays within. */
export interface HealthLimits {
  /** The longest time that a message through the gateway may take, connecting included. */
  readonly maxLatencyMs: number
  /** How many of the last `window` checks may have failed. */
  readonly maxErrors: number
  readonly window: number
}

/** The check of a health gate: whether the gateway answers, fast enough, and with few errors. */
export function healthCheck(url: string, limits: HealthLimits): (signal: AbortSignal) => Promise<boolean> {
  let results: readonly CheckResult[] = []
  return async (signal) => {
    const result = await checkOnce(url, signal)
    results = [...results, result].slice(-limits.window)
    const reason = unhealthyReason(results, limits)
    if (reason !== undefined) throw new Error(reason)
    return true
  }
}

/** Why a gateway is unhealthy by its last checks, oldest first; undefined when it is healthy. */
export function unhealthyReason(
  results: readonly CheckResult[],
  { maxLatencyMs, maxErrors, window }: HealthLimits,
): string | undefined {
  const last = results.at(-1)
  if (last?.kind === 'failed') return last.error.message
  if (last !== undefined && last.latencyMs > maxLatencyMs) {
    return `slow: a message took ${Math.round(last.latencyMs)} ms, limit ${maxLatencyMs} ms`
  }
  const errors = results.slice(-window).filter(({ kind }) => kind === 'failed').length
  return errors > maxErrors ? `failing: ${errors} errors in the last ${window} checks` : undefined
}

async function checkOnce(url: string, signal: AbortSignal): Promise<CheckResult> {
  try {
    return { kind: 'answered', latencyMs: await measureRoundTrip(url, signal) }
  } catch (error) {
    return { kind: 'failed', error: error as Error }
  }
}

/**
 * Connects to a gateway, sends a message through it and receives it, as a user would. Returns the time that this took,
 * in milliseconds. A PINGREQ would prove less: a broker may answer it and still accept no clients and move no messages.
 */
async function measureRoundTrip(url: string, signal: AbortSignal): Promise<number> {
  const startedMs = performance.now()
  const clientId = `probe-${randomUUID()}`
  const client = connect(url, { clientId, reconnectPeriod: 0 })
  disableNagle(client)
  const failed = new Promise<never>((_resolve, reject) => {
    client.once('error', reject)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  try {
    await Promise.race([failed, echo(client, `probes/${clientId}`)])
    return performance.now() - startedMs
  } finally {
    client.end(true)
  }
}

async function echo(client: MqttClient, topic: string): Promise<void> {
  await new Promise((resolve) => client.once('connect', resolve))
  await client.subscribeAsync(topic, { qos: 1 })
  const received = new Promise((resolve) => client.once('message', resolve))
  client.publish(topic, '', { qos: 1 })
  await received
}
