import { withDeadline } from '@ha/core'
import type { Assembly } from './assembly.ts'
import { ZookeeperError } from './zookeeper-error.ts'

/**
 * Ends a client: first what it holds, by its signal, then the session on the servers and the connection. A session
 * whose connection is away gets half of the time to be found and ended, rather than to be left to its timeout.
 */
export async function endOf({ ground, scope, sessions, link }: Assembly, timeoutMs: number): Promise<void> {
  const { clock } = ground
  const untilMs = clock.now() + timeoutMs
  const closed = new ZookeeperError('closed', 'the client is closed')
  scope.abort(closed)
  if (sessions.current !== undefined && !sessions.connected) {
    const limit = { timeoutMs: timeoutMs / 2, expired: () => closed }
    // Nobody has to be there: the servers end the session themselves.
    await withDeadline(clock, limit, (signal) => link.acquire(signal)).catch(() => undefined)
  }
  // Whoever holds a lease hears of it before the servers let somebody else have it.
  sessions.close()
  await link.close(Math.max(1, untilMs - clock.now()))
}
