import { type Clock, type Driver, type Endpoint, fullJitter, HaError } from '@ha/core'
import { raceAbort, withDeadline } from '@ha/core/driver'
import type { ZookeeperConnection } from '../connection/connection.ts'
import type { OwnSessions } from './sessions.ts'

export interface FarewellParts {
  readonly driver: Driver<ZookeeperConnection>
  readonly sessions: OwnSessions
  readonly clock: Clock
  readonly random: () => number
  /** The servers, in the order in which to ask them; another one each time. */
  readonly plan: () => readonly Endpoint[]
}

const pace = fullJitter({ baseMs: 50, maxMs: 250 })

/**
 * Ends on the servers the session that a closed client left there: asks one after the other, over a connection made for
 * it, until one has ended it or says that it is over, at the latest after `timeoutMs`. Never rejects: what nobody ends
 * in time ends by its timeout.
 */
export async function sayFarewell(parts: FarewellParts, timeoutMs: number): Promise<void> {
  const { clock, sessions } = parts
  if (sessions.left === undefined) return
  const expired = (): HaError => late('the session', timeoutMs)
  await withDeadline(clock, { timeoutMs, expired }, (signal) => askInRounds(parts, timeoutMs, signal)).catch(
    () => undefined,
  )
}

async function askInRounds(parts: FarewellParts, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const { clock, random, plan, sessions } = parts
  for (let round = 0; ; round++) {
    const endpoints = plan()
    // Each gets its share: one that takes the connection and says nothing must leave time for the others.
    const shareMs = Math.max(1, timeoutMs / endpoints.length)
    for (const endpoint of endpoints) {
      await ask(parts, endpoint, shareMs, signal)
      if (sessions.left === undefined) return
    }
    await clock.sleep(pace(round, random), signal)
  }
}

async function ask(
  { driver, clock }: FarewellParts,
  endpoint: Endpoint,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const expired = (): HaError => late(endpoint.host, timeoutMs)
  const asking = withDeadline(clock, { timeoutMs, signal, expired }, async (inner) => {
    const connection = await driver.open(endpoint, inner)
    await raceAbort(driver.close(connection), inner, () => undefined).finally(() =>
      driver.destroy(connection),
    )
  })
  // The next one is asked, whatever it was.
  await asking.catch(() => undefined)
  signal.throwIfAborted()
}

function late(what: string, timeoutMs: number): HaError {
  return new HaError('timed-out', `${what}: not ended within ${timeoutMs} ms`)
}
