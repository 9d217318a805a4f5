import { setMaxListeners } from 'node:events'
import { connect, type SocketOptions } from 'amqplib'
import { successesOf } from '../harness/floor-probe.ts'
import { probeContent } from './traffic.ts'

export interface FloorProbe {
  /** Nodes that are not the victim, as `host:port`. */
  readonly survivors: readonly string[]
  /** The queue under test itself: another one would have an election of its own, with luck of its own. */
  readonly queue: string
  /** How long after one attempt the next one begins beside it. */
  readonly everyMs: number
}

/**
 * What a client could at best come near: it detects nothing and restores nothing, it opens a fresh connection to a
 * survivor and publishes once with a confirm, again and again until the signal fires. Resolves with the instants of
 * its successes; their longest silence is the floor.
 */
export function probeFloor(probe: FloorProbe, signal: AbortSignal): Promise<readonly number[]> {
  // Every attempt's socket hangs on this signal for as long as it lives.
  setMaxListeners(0, signal)
  const { survivors, queue, everyMs } = probe
  const attempt = (i: number): Promise<unknown> =>
    publishOnce(survivors[i % survivors.length] ?? '', queue, signal)
  return successesOf(attempt, { everyMs, mostUnderway: Number.POSITIVE_INFINITY }, signal)
}

async function publishOnce(endpoint: string, queue: string, signal: AbortSignal): Promise<void> {
  const socket = { noDelay: true, signal } as SocketOptions
  const model = await connect(`amqp://guest:guest@${endpoint}`, socket)
  model.on('error', () => undefined)
  try {
    const channel = await model.createConfirmChannel()
    channel.on('error', () => undefined)
    await new Promise<void>((resolve, reject) => {
      const settle = (error: unknown): void => (error ? reject(error) : resolve())
      channel.publish('', queue, probeContent, { persistent: true }, settle)
    })
  } finally {
    model.close().catch(() => undefined)
  }
}
