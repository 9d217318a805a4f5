import { once } from 'node:events'

/** Resolves when this process is to end: by a signal, or because the process that had forked it is gone. */
export async function toldToEnd(): Promise<void> {
  const heard = new AbortController()
  const { signal } = heard
  const reasons = ['SIGTERM', 'SIGINT', 'disconnect']
  await Promise.race(reasons.map((reason) => once(process, reason, { signal })))
  heard.abort()
}
