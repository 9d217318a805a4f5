import { linkedController } from '@ha/core/driver'
import type { Ground } from '../ground.ts'
import type { Line } from './line.ts'
import { oneGone } from './one-gone.ts'
import { persist } from './persist.ts'
import type { Place } from './place.ts'
import { type Turn, turnOf } from './turn.ts'

export interface Waiting {
  readonly signal: AbortSignal
  /** Hears each time how we stand. */
  readonly onTurn: (turn: Turn) => void
}

/** Looks, and waits for one of those in the way, until it is our turn, or with this place never will be. */
export async function waitForTurn(
  ground: Ground,
  line: Line,
  place: Place,
  { signal, onTurn }: Waiting,
): Promise<Exclude<Turn['kind'], 'behind'>> {
  const either = linkedController(signal, place.signal)
  try {
    for (;;) {
      const turn = await lookOnce(ground, line, place, either.signal)
      onTurn(turn)
      if (turn.kind !== 'behind') return turn.kind
      await oneGone(ground, line.folder, turn.watched, either.signal)
    }
  } catch (thrown) {
    if (signal.aborted || !place.signal.aborted) throw thrown
    return 'gone'
  } finally {
    either.unlink()
  }
}

/** How we stand now. */
export async function lookOnce(
  ground: Ground,
  { folder, rule, agree }: Line,
  place: Place,
  signal: AbortSignal,
): Promise<Turn> {
  const { operations } = ground
  // All in one breath: when the children are here, the others are as well.
  const [, , children] = await Promise.all([
    agree?.(signal),
    needsLeader(place) ? persist(ground, signal, (options) => operations.sync(folder, options)) : undefined,
    persist(ground, signal, (options) => operations.children(folder, options)),
  ])
  return turnOf(children?.names ?? [], place.name, rule)
}

// Whoever has waited for long was heard of by its server alone. Its turn is of use only when the leader has, too.
function needsLeader({ certainForMs, session }: Place): boolean {
  return certainForMs < session.timeoutMs / 3
}
