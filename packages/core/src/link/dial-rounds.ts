import { asError, HaError, isHaError } from '../model/error.ts'
import { fullJitter } from '../policy/backoff.ts'
import { select } from '../policy/select.ts'
import { type Dialed, dialRace } from './dial.ts'
import type { LinkState } from './link-state.ts'
import type { LinkOptions } from './options.ts'

export interface Dialling<C> {
  readonly options: LinkOptions<C>
  /** How many connections were made before: where `round-robin` begins. */
  readonly turn: number
  /** How many connections in a row ended soon after they were made, and why the last one did. */
  readonly flaps: Flaps
  readonly enter: (state: LinkState<C>) => void
}

export interface Flaps {
  readonly count: number
  readonly error: Error | undefined
}

/** Dials in rounds until a connection is made: no delay inside a round, a jittered one between rounds. */
export async function dialUntilConnected<C>(dialling: Dialling<C>, signal: AbortSignal): Promise<Dialed<C>> {
  const { options, enter } = dialling
  const delayMs = fullJitter(options.backoff)
  const wait = async (round: number, ms: number, error: HaError): Promise<void> => {
    enter({ kind: 'waiting', round, delayMs: ms, error })
    await options.clock.sleep(ms, signal)
  }
  // Going elsewhere at once is right the first time; an endpoint that takes connections only to end them is no gain.
  let round = Math.max(0, dialling.flaps.count - 1)
  if (round > 0) await wait(round, delayMs(round - 1, options.random), flapping(dialling.flaps))
  for (;;) {
    enter({ kind: 'dialing', round })
    try {
      return await oneRound(dialling, signal)
    } catch (thrown) {
      signal.throwIfAborted()
      const error = asLinkError(thrown)
      await wait(round, error.code === 'refused' ? slowly(options) : delayMs(round, options.random), error)
    }
    round += 1
  }
}

async function oneRound<C>({ options, turn }: Dialling<C>, signal: AbortSignal): Promise<Dialed<C>> {
  const { roster, clock, random, strategy, penaltyMs, dial } = options
  const refreshed = roster.refresh(dial.attemptMs, signal)
  // With a list in hand nobody waits for a newer one; the next round sees it.
  if (roster.view.members.length === 0) await refreshed
  else refreshed.catch(() => undefined)
  const plan = select(roster.view, { strategy, turn, nowMs: clock.now(), penaltyMs, random })
  return dialRace({ driver: options.driver, clock, roster, options: dial }, plan, signal)
}

// A final no is asked again, since somebody may correct it, but never often: a broker locks out those who hammer.
function slowly<C>({ backoff, random }: LinkOptions<C>): number {
  return backoff.maxMs * (0.5 + random() / 2)
}

function flapping({ count, error }: Flaps): HaError {
  const message = `${count} connections in a row ended soon after they were made: ${error?.message}`
  return new HaError('lost', message, { cause: error, retryable: true })
}

function asLinkError(thrown: unknown): HaError {
  if (isHaError(thrown)) return thrown
  const cause = asError(thrown)
  return new HaError('unreachable', `the addresses could not be found: ${cause.message}`, {
    cause,
    retryable: true,
  })
}
