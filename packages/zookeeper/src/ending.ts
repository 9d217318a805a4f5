import type { Assembly } from './assembly.ts'
import { sayFarewell } from './session/farewell.ts'
import { ZookeeperError } from './zookeeper-error.ts'

/**
 * Ends a client: first what it holds, by its signal, then the session on the servers and the connection. A session that
 * could not be ended over the connection that there was is ended over another one.
 */
export async function endOf(
  { ground, scope, sessions, link, farewell }: Assembly,
  timeoutMs: number,
): Promise<void> {
  const { clock } = ground
  const untilMs = clock.now() + timeoutMs
  scope.abort(new ZookeeperError('closed', 'the client is closed'))
  // Whoever holds a lease hears of it before the servers let somebody else have it.
  sessions.close()
  // A server that says nothing leaves half of the time for the others.
  await link.close(timeoutMs / 2)
  await sayFarewell(farewell, Math.max(1, untilMs - clock.now()))
}
