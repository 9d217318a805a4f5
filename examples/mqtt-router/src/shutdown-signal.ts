import { once } from 'node:events'

/** Resolves when this process is to shut down: on SIGTERM, on SIGINT, or when the parent process is gone. */
export async function shutdownSignal(): Promise<void> {
  const received = new AbortController()
  const { signal } = received
  const events = ['SIGTERM', 'SIGINT', 'disconnect']
  await Promise.race(events.map((event) => once(process, event, { signal })))
  received.abort()
}
