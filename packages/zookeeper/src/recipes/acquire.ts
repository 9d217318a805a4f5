import type { Ground } from '../ground.ts'
import type { Call } from '../operations/call-options.ts'
import { childOf } from '../operations/paths.ts'
import { type Limits, within } from '../within.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { enter } from './enter.ts'
import type { Line } from './line.ts'
import type { Place } from './place.ts'
import type { Turn } from './turn.ts'
import { lookOnce, waitForTurn } from './waiting.ts'

/** Stands in line until it is our turn. Whoever gives up leaves the line. */
export async function acquire(ground: Ground, line: Line, call: Call): Promise<Place> {
  let last: Turn | undefined
  const onTurn = (turn: Turn): void => {
    last = turn
  }
  const expired = (): Error => notInTime(line, call, last, ground.link.trouble())
  const wait = async (signal: AbortSignal): Promise<Place> => {
    for (;;) {
      const place = await enter(ground, line, signal)
      const turn = await keeping(place, () => waitForTurn(ground, line, place, { signal, onTurn }))
      if (turn === 'ours' && (await keeping(place, () => place.hold(signal)))) return place
      await place.release()
    }
  }
  return within(ground, limitsOf(line, call, expired), wait, release)
}

/** Stands in line, and leaves it when it is not our turn at once. */
export async function acquireNow(ground: Ground, line: Line, call: Call): Promise<Place | undefined> {
  const expired = (): Error => notInTime(line, call, undefined, ground.link.trouble())
  const look = async (signal: AbortSignal): Promise<Place | undefined> => {
    const place = await enter(ground, line, signal)
    const turn = await keeping(place, () => lookOnce(ground, line, place, signal))
    if (turn.kind === 'ours' && (await keeping(place, () => place.hold(signal)))) return place
    await place.release()
    return undefined
  }
  return within(ground, limitsOf(line, call, expired), look, release)
}

function limitsOf({ what, folder }: Line, call: Call, expired: () => Error): Limits {
  return { what, path: folder, call, expired }
}

// A place that comes too late is given back.
function release(late: Place | undefined): void {
  void late?.release()
}

// What fails leaves the line, and nobody waits for that: whoever gave up wants to know now.
async function keeping<T>(place: Place, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    void place.release()
    throw thrown
  }
}

function notInTime(
  { what, folder }: Line,
  { timeoutMs }: Call,
  last: Turn | undefined,
  trouble: Error | undefined,
): ZookeeperError {
  const why = trouble === undefined ? whyNot(folder, last) : `: ${trouble.message}`
  const message = `${what} was not acquired within ${timeoutMs} ms${why}`
  return new ZookeeperError('timed-out', message, { path: folder, retryable: true, cause: trouble })
}

function whyNot(folder: string, turn: Turn | undefined): string {
  if (turn?.kind !== 'behind') return ''
  const [nearest = ''] = turn.watched.slice(-1)
  return `: ${turn.ahead} must go first, the nearest is ${childOf(folder, nearest)}`
}
