import { asError, detachStack, HaError, isHaError } from '../errors/ha-error.ts'
import { fullJitter } from '../policy/backoff.ts'
import { select } from '../policy/select.ts'
import { addressesTried, type Dialed, dialRace } from './dial.ts'
import type { Flaps } from './ending.ts'
import type { LinkState } from './link-state.ts'
import type { LinkOptions } from './options.ts'

export interface Dialling<C> {
  readonly options: LinkOptions<C>
  /** How many connections were made before: where `round-robin` begins. */
  readonly turn: number
  readonly flaps: Flaps
  readonly enter: (state: LinkState<C>) => void
}

/**
 * Dials in rounds until a connection is made: no delay inside a round, a jittered one between rounds. Rejects with
 * the signal's reason, or with what is no {@link HaError} and therefore a defect.
 */
export async function dialUntilConnected<C>(dialling: Dialling<C>, signal: AbortSignal): Promise<Dialed<C>> {
  const { options, enter } = dialling
  const delayMs = fullJitter(options.backoff)
  const wait = async (round: number, ms: number, error: HaError): Promise<void> => {
    enter({ kind: 'waiting', round, delayMs: ms, error: detachStack(error) })
    await options.clock.sleep(ms, signal)
  }
  // Going elsewhere at once is right the first time; an endpoint that takes connections only to end them is no gain.
  let round = Math.max(0, dialling.flaps.count - 1)
  let trouble: HaError | undefined
  if (round > 0) {
    trouble = flapping(dialling.flaps)
    await wait(round, delayMs(round - 1, options.random), trouble)
  }
  for (;;) {
    enter({ kind: 'dialing', round, trouble })
    try {
      return await oneRound(dialling, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!isHaError(error)) throw error
      trouble = error
      await wait(round, error.code === 'refused' ? slowly(options) : delayMs(round, options.random), error)
    }
    round += 1
  }
}

async function oneRound<C>({ options, turn }: Dialling<C>, signal: AbortSignal): Promise<Dialed<C>> {
  const { roster, clock, random, strategy, penaltyMs, dial } = options
  const refreshed = roster.refresh(dial.attemptMs, signal).catch(withoutAddresses)
  // With a list in hand nobody waits for a newer one: the next round sees it, and the view says why there is none.
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

function withoutAddresses(thrown: unknown): never {
  const cause = asError(thrown)
  throw new HaError('unreachable', `the addresses could not be found: ${cause.message}`, {
    attempts: addressesTried(cause),
    cause,
    retryable: true,
  })
}
