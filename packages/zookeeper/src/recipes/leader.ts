import { deferred, linkedController, raceAbort } from '@ha/core/driver'
import type { Ground } from '../ground.ts'
import type { Node } from '../node.ts'
import { type Call, Remaining } from '../operations/call-options.ts'
import { childOf } from '../operations/paths.ts'
import { persist } from './persist.ts'
import { lineOf } from './tickets.ts'

/** Somebody who stands for election. */
export interface Participant {
  readonly id: string
  /** The node that stands for it. */
  readonly path: string
  /** The fencing token of its lease, when it leads. */
  readonly token: bigint
}

/** Reads who is first in line, behind a `sync`: a server that lags would name one of the past. */
export async function readLeader(
  { operations, clock }: Ground,
  folder: string,
  call: Call,
): Promise<Participant | undefined> {
  const remaining = new Remaining(call, () => clock.now())
  await operations.sync(folder, remaining.call)
  for (;;) {
    const children = await operations.children(folder, remaining.call)
    const path = firstOf(folder, children?.names)
    if (path === undefined) return undefined
    const node = await operations.get(path, remaining.call)
    if (node !== undefined) return participantOf(path, node)
    remaining.check(`the leader of ${folder}`, folder)
  }
}

/** Who is first in line, now and after each change, until the signal or the end of the client. */
export async function* observeLeader(
  ground: Ground,
  folder: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Participant | undefined, void, void> {
  const scope = linkedController(signal, ground.signal)
  let last: Sight | undefined
  try {
    for (;;) {
      const sight = await see(ground, folder, scope.signal)
      try {
        if (last === undefined || isNews(last, sight)) yield sight.leader
        await raceAbort(sight.changed, scope.signal, () => undefined)
      } finally {
        sight.unwatch()
      }
      last = sight
    }
  } catch (thrown) {
    if (!scope.signal.aborted) throw thrown
  } finally {
    scope.unlink()
  }
}

/** What was seen, and a promise that resolves when it is no longer so. */
interface Sight {
  readonly leader: Participant | undefined
  readonly changed: Promise<void>
  unwatch(): void
}

function isNews({ leader: before }: Sight, { leader: now }: Sight): boolean {
  return before?.path !== now?.path || before?.id !== now?.id
}

// The first in line stays so until it goes: it alone is watched, and the whole line only while there is nobody.
async function see(ground: Ground, folder: string, signal: AbortSignal): Promise<Sight> {
  const { operations, watched } = ground
  for (;;) {
    const children = await persist(ground, signal, (options) => operations.children(folder, options))
    const path = firstOf(folder, children?.names)
    const { promise: changed, resolve } = deferred()
    const onEvent = (): void => resolve()
    if (path === undefined) {
      const line = await persist(ground, signal, (options) => watched.children(folder, onEvent, options))
      if (firstOf(folder, line.value?.names) === undefined)
        return { leader: undefined, changed, unwatch: line.unwatch }
      line.unwatch()
    } else {
      const first = await persist(ground, signal, (options) => watched.get(path, onEvent, options))
      if (first.value !== undefined)
        return { leader: participantOf(path, first.value), changed, unwatch: first.unwatch }
      first.unwatch()
    }
  }
}

function firstOf(folder: string, names: readonly string[] = []): string | undefined {
  const [first] = lineOf(names)
  return first === undefined ? undefined : childOf(folder, first.name)
}

function participantOf(path: string, { data, stat }: Node): Participant {
  return { id: data.toString(), path, token: stat.czxid }
}
