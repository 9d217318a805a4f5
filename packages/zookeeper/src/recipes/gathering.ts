import { isHaError } from '@ha/core'
import { deferred, raceAbort } from '@ha/core/driver'
import type { Ground } from '../ground.ts'
import type { Node } from '../node.ts'
import { childOf } from '../operations/paths.ts'
import { type Opening, openName, type Sight } from './barrier-step.ts'
import { oneGone } from './one-gone.ts'
import { persist } from './persist.ts'
import type { Place } from './place.ts'
import { lineOf } from './tickets.ts'
import { withdraw } from './withdraw.ts'

/** The folder of a barrier: what is read and written there. */
export class Gathering {
  readonly folder: string
  readonly #ground: Ground
  readonly #openPath: string

  constructor(ground: Ground, folder: string) {
    this.#ground = ground
    this.folder = folder
    this.#openPath = childOf(folder, openName)
  }

  /** What stands there now. */
  async look(signal: AbortSignal): Promise<Sight> {
    const { operations } = this.#ground
    const [node, children] = await Promise.all([
      persist(this.#ground, signal, (options) => operations.get(this.#openPath, options)),
      persist(this.#ground, signal, (options) => operations.children(this.folder, options)),
    ])
    const names = lineOf(children?.names ?? []).map(({ name }) => name)
    return { names, open: node === undefined ? undefined : openingOf(node) }
  }

  /** Makes the node that says that all have come; whoever was faster has made the same. */
  async open({ name }: Place, signal: AbortSignal): Promise<void> {
    const { operations } = this.#ground
    const creating = persist(this.#ground, signal, (options) =>
      operations.create(this.#openPath, name, { ...options, kind: 'ephemeral' }),
    )
    await settledBy(creating, 'node-exists')
  }

  /** Waits until all have come. */
  async opened(signal: AbortSignal): Promise<void> {
    const { watched } = this.#ground
    const { promise, resolve } = deferred()
    const { value, unwatch } = await persist(this.#ground, signal, (options) =>
      watched.exists(this.#openPath, () => resolve(), options),
    )
    if (value !== undefined) resolve()
    await raceAbort(promise, signal, () => undefined).finally(unwatch)
  }

  /** Waits until the node of this name has gone. */
  gone(name: string, signal: AbortSignal): Promise<void> {
    return oneGone(this.#ground, this.folder, [name], signal)
  }

  /**
   * Leaves nothing behind of a part that gave up, also not the opening that it may have made: whoever comes later would
   * take it for theirs. What cannot be done now is done in the background.
   */
  async abandon(place: Place): Promise<void> {
    const { operations, onDefect } = this.#ground
    const { name, session } = place
    try {
      await place.release()
      // On the one connection of the session, this is answered behind a making that is still under way.
      const open = await persist(this.#ground, session.signal, (options) =>
        operations.get(this.#openPath, options),
      )
      if (open?.data.toString() === name) await withdraw(this.#ground, { path: this.#openPath, session })
    } catch (thrown) {
      if (!session.signal.aborted) onDefect(`abandoning ${place.path}`, thrown)
    }
  }

  /** Takes away a part and the opening that it made: both, or none when the part has gone with its session. */
  async close({ path }: Place, signal: AbortSignal): Promise<void> {
    const { operations } = this.#ground
    const changes = [path, this.#openPath].map((each) => ({ kind: 'delete', path: each }) as const)
    await settledBy(
      persist(this.#ground, signal, (options) => operations.multi(changes, options)),
      'no-node',
    )
  }
}

function openingOf({ data, stat }: Node): Opening {
  return { czxid: stat.czxid, by: data.toString() }
}

// What became of it is for the next look to say, when nobody knows, or when it was so already.
async function settledBy(work: Promise<unknown>, already: string): Promise<void> {
  try {
    await work
  } catch (thrown) {
    if (!isHaError(thrown) || (thrown.code !== already && thrown.outcome !== 'unknown')) throw thrown
  }
}
