import { raceAbort } from '@ha/core/driver'
import type { Ground } from '../ground.ts'
import type { Created } from '../node.ts'
import { childOf } from '../operations/paths.ts'
import type { LiveSession } from '../session/live-session.ts'
import type { Entry } from './line.ts'
import { untilSignalMs } from './persist.ts'
import { Place } from './place.ts'
import { prefixOf } from './tickets.ts'
import { withdraw } from './withdraw.ts'

/**
 * Stands at the end of a line, with a node of the session that is current now: one of a session before it is on its
 * way out, and never ours again. What is made after the signal is deleted, also when the answer was lost.
 */
export async function enter(ground: Ground, entry: Entry, signal: AbortSignal): Promise<Place> {
  for (;;) {
    const session = await ground.sessions.live(signal)
    const created = await madeIn(session, ground, entry, signal)
    if (created !== undefined && isOwn(created, session)) return new Place(ground, created, session)
  }
}

function isOwn(created: Created, session: LiveSession): boolean {
  return !session.signal.aborted && created.stat.ephemeralOwner === session.id
}

// Undefined when the session ended over it. It goes on when the caller has given up: a node whose answer was lost is
// found by its mark, and would else stand in everybody's way for as long as the session lives.
async function madeIn(
  session: LiveSession,
  ground: Ground,
  { folder, kind, data }: Entry,
  signal: AbortSignal,
): Promise<Created | undefined> {
  const creating = ground.operations.create(childOf(folder, prefixOf(kind)), data, {
    kind: 'ephemeral',
    sequential: true,
    protect: true,
    parents: true,
    signal: session.signal,
    timeoutMs: untilSignalMs,
  })
  try {
    return await raceAbort(creating, signal, ({ path }) => void withdraw(ground, { path, session }))
  } catch (thrown) {
    if (signal.aborted || !session.signal.aborted) throw thrown
    return undefined
  }
}
