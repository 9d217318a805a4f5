import { connect, type SocketOptions } from 'amqplib'
import { contentOf, wallMs } from './traffic.ts'

export interface FloorProbe {
  /** Nodes that are not the victim, as `host:port`. */
  readonly survivors: readonly string[]
  /** A queue of the same kind, with the same leader as the one under test. */
  readonly queue: string
  /** How long after one attempt the next one begins beside it. */
  readonly everyMs: number
}

/**
 * What a client could at best come near: it knows the moment of the fault, detects nothing, restores nothing, and
 * tries a fresh connection with one confirmed publish again and again on the survivors. Resolves with the time from
 * the fault to the first success, or undefined when the signal fires before.
 */
export async function measureFloor(
  probe: FloorProbe,
  faultAtMs: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const over = new AbortController()
  const end = AbortSignal.any([signal, over.signal])
  let firstMs: number | undefined
  for (let i = 0; !end.aborted; i++) {
    const survivor = probe.survivors[i % probe.survivors.length] ?? ''
    const attempt = publishOnce(survivor, probe.queue, end).then(
      () => {
        firstMs ??= wallMs() - faultAtMs
        // The attempts that still hang have nothing more to show, and a cluster that recovers needs no crowd.
        over.abort()
      },
      () => undefined,
    )
    await Promise.race([attempt, new Promise((resolve) => setTimeout(resolve, probe.everyMs))])
  }
  return firstMs
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
      channel.publish('', queue, contentOf(0), { persistent: true }, settle)
    })
  } finally {
    model.close().catch(() => undefined)
  }
}
