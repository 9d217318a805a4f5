import type { Clock } from '@ha/core'
import { Lifecycle } from '@ha/core/driver'
import type { Consumers } from './consumer/consumers.ts'
import { rabbitError } from './errors.ts'
import type { Links } from './links.ts'
import type { Publishers } from './publisher/publishers.ts'
import type { Requests } from './rpc/requests.ts'

/** What happened to the messages and handlers of a client that was drained. */
export interface DrainReport {
  /** Messages that the broker confirmed during the drain. */
  readonly confirmed: number
  /** Messages that were sent and not confirmed in time. Their promises reject with the outcome `unknown`. */
  readonly unknown: number
  /** Messages that were never sent. Their promises reject with the outcome `not-done`. */
  readonly notSent: number
  /** Handlers that were still running; their messages return to the queue. */
  readonly abandoned: number
}

interface ShutdownDeps {
  readonly clock: Clock
  readonly links: Links
  readonly publishers: Publishers
  readonly consumers: Consumers
  readonly requests: Requests
}

// The part of the time of close() that is kept for the close handshake: at most half of it.
const maxCloseHandshakeMs = 500

/** The life of a client: `drain` and `close` run once, and later calls can only shorten the time. */
export function createLifecycle(deps: ShutdownDeps): Lifecycle<DrainReport> {
  const { clock, links } = deps
  return new Lifecycle({
    clock,
    closedError: () => rabbitError('closed', 'the client is closed'),
    drain: (timeoutMs, expired) => drain(deps, timeoutMs, expired),
    end: async (timeoutMs) => {
      await Promise.all([links.publish.close(timeoutMs), links.consume.close(timeoutMs)])
    },
    endMs: (timeoutMs) => Math.min(maxCloseHandshakeMs, timeoutMs / 2),
  })
}

// Consumers first: their handlers may publish the results of their last messages, and wait for replies.
async function drain(
  { clock, publishers, consumers, requests }: ShutdownDeps,
  timeoutMs: number,
  expired: AbortSignal,
): Promise<DrainReport> {
  const deadlineMs = clock.now() + timeoutMs
  const confirmedBefore = publishers.confirmed
  const { abandoned } = await consumers.stop(expired)
  const remainingMs = (): number => Math.max(0, deadlineMs - clock.now())
  await requests.drain(remainingMs(), expired)
  const [{ unknown, notSent }] = await Promise.all([
    publishers.drain(remainingMs(), expired),
    requests.close(remainingMs(), expired),
  ])
  return { confirmed: publishers.confirmed - confirmedBefore, unknown, notSent, abandoned }
}
