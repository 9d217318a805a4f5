import type { Declaration } from '@ha/core'
import { asError, linkedController } from '@ha/core/driver'
import type { ZookeeperConnection } from '../connection/connection.ts'
import type { Ground } from '../ground.ts'
import { isLasting } from '../lasting.ts'
import type { Acl, Node, WatchEvent } from '../node.ts'
import { called } from '../operations/called.ts'
import type { LiveSession } from '../session/live-session.ts'
import { watchesKey } from '../watches/watches.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { type Action, act } from './ephemeral-act.ts'
import type { Seen, Site } from './ephemeral-site.ts'
import { type Claim, nextStep, type Step, type Wish } from './ephemeral-step.ts'

export interface UpkeepParts {
  readonly ground: Ground
  /** Under which it is declared. */
  readonly key: string
  readonly site: Site
  /** True of a session that this client had before. */
  readonly wasOurs: (sessionId: bigint) => boolean
  readonly takesOver: (node: Node) => boolean
  readonly parents: boolean
  readonly acl: readonly Acl[] | undefined
}

interface Rest {
  readonly wish: Wish
  readonly step: Exclude<Step, Action>
  readonly seen: Seen
  readonly session: LiveSession
}

/** For whom a node is kept up. */
export interface Keeper {
  /** What is wanted at this moment. */
  wish(): Wish
  /** The node is there, as wished, and belongs to the session. */
  held(session: LiveSession, path: string, czxid: bigint): void
  /** The node is not there, or not ours; also called when that is no news. */
  missing(path: string, reason: Error): void
  /** A try has failed. */
  failed(error: Error): void
}

/**
 * Makes a wish for a node come true, as a declaration: on each connection, when it is declared anew, and when the watch
 * on the node tells. Each try looks, takes the step that follows from what it saw, and looks again.
 */
export class Upkeep {
  readonly #parts: UpkeepParts
  readonly #keeper: Keeper
  #lastHeld: bigint | undefined
  /** Stops watching the node, while it is watched. */
  #unwatch: (() => void) | undefined
  /** Whether it was a stranger's when it was looked at last. */
  #waits = false
  /** What the last try met that the next one may meet as well. */
  #refusal: Error | undefined
  /** The refusal that was told last: the same one is no news. */
  #told: string | undefined

  constructor(parts: UpkeepParts, keeper: Keeper) {
    this.#parts = parts
    this.#keeper = keeper
  }

  /** The wish is new: a try for another one is abandoned. */
  declare(): void {
    const { ground, key } = this.#parts
    const declaration: Declaration<ZookeeperConnection> = {
      key,
      needs: [watchesKey],
      gates: false,
      survives: false,
      timeoutMs: ground.operationTimeoutMs,
      apply: (_connection, signal) => this.#apply(signal),
    }
    this.#refusal = undefined
    ground.link.desiredState.declare(declaration)
  }

  /** Leaves the node to itself. */
  forget(): void {
    const { ground, key } = this.#parts
    this.#stopWatching()
    ground.link.desiredState.forget(key)
  }

  /** Waits until the wish has come true; rejects when a try is refused, and the next one will be as well. */
  async whenDone(signal: AbortSignal): Promise<void> {
    const { ground, key } = this.#parts
    const { desiredState: ledger } = ground.link
    while (!ledger.isSettled(key)) {
      if (this.#refusal !== undefined) throw this.#refusal
      await ledger.changed.wait(signal)
    }
  }

  /** What the last try failed with, when no other has begun. */
  get failure(): Error | undefined {
    const { ground, key } = this.#parts
    if (this.#refusal !== undefined) return this.#refusal
    const standing = ground.link.desiredState.standing(key)
    return standing !== undefined && 'error' in standing ? standing.error : undefined
  }

  async #apply(signal: AbortSignal): Promise<void> {
    const session = await this.#parts.ground.sessions.live(signal)
    const scope = linkedController(signal, session.signal)
    try {
      await this.#bring(session, scope.signal)
    } catch (thrown) {
      throw scope.signal.aborted ? thrown : this.#failed(asError(thrown))
    } finally {
      scope.unlink()
    }
  }

  // What lasts is tried again like everything else: it lies in the tree or in what we were given, and somebody may put
  // it right.
  #failed(error: Error): Error {
    this.#keeper.failed(error)
    this.#refusal = isLasting(error) ? error : undefined
    if (this.#refusal === undefined) return error
    const { ground, key, site } = this.#parts
    if (this.#told !== error.message) ground.onDefect(key, error)
    this.#told = error.message
    return new ZookeeperError('rejected', error.message, { path: site.path, retryable: true, cause: error })
  }

  // What is answered when the session, the connection or the wish is another one by now changes nothing here.
  async #bring(session: LiveSession, signal: AbortSignal): Promise<void> {
    const wish = this.#keeper.wish()
    for (let mayRest = false; ; ) {
      const seen = await this.#look(mayRest && wish.kind === 'present', signal)
      const step = nextStep(seen.node, wish, this.#claim(session))
      if (step.kind !== 'settled' && step.kind !== 'wait') {
        await this.#act(step, seen, signal)
      } else if (mayRest || wish.kind === 'absent' || this.#unwatch !== undefined) {
        return this.#rest({ wish, step, seen, session })
      }
      mayRest = true
    }
  }

  // A watch that is still there is left alone: it outlives connections.
  async #look(watching: boolean, signal: AbortSignal): Promise<Seen> {
    if (!watching) return this.#seen(undefined, signal)
    this.#stopWatching()
    const seen = await this.#seen((event) => this.#onEvent(event), signal)
    this.#unwatch = seen.unwatch
    return seen
  }

  async #seen(onEvent: ((event: WatchEvent) => void) | undefined, signal: AbortSignal): Promise<Seen> {
    const seen = await this.#parts.site.look(onEvent, { signal })
    if (signal.aborted) seen.unwatch()
    signal.throwIfAborted()
    return seen
  }

  #claim(session: LiveSession): Claim {
    const { wasOurs, takesOver, site } = this.#parts
    return {
      sessionId: session.id,
      wasOurs,
      takesOver: (node) => called('takeover', site.path, () => takesOver(node)),
      lastHeld: this.#lastHeld,
    }
  }

  async #act(step: Action, { path }: Seen, signal: AbortSignal): Promise<void> {
    const { ground, site, parents, acl } = this.#parts
    if (step.kind !== 'write') this.#keeper.missing(path, isGone(path))
    this.#stopWatching()
    const what = { step, path, asked: site.path, sequential: site.sequential, parents, acl }
    await act(ground.operations, what, { signal })
    signal.throwIfAborted()
  }

  #rest({ wish, step, seen: { path, node }, session }: Rest): void {
    this.#refusal = undefined
    this.#told = undefined
    this.#waits = step.kind === 'wait'
    if (step.kind === 'wait') {
      const error = isTaken(path)
      this.#keeper.missing(path, error)
      throw error
    }
    if (wish.kind === 'absent' || node === undefined) {
      this.#stopWatching()
      return
    }
    this.#lastHeld = node.stat.czxid
    this.#keeper.held(session, path, node.stat.czxid)
  }

  #onEvent({ kind, path }: WatchEvent): void {
    const { ground, key } = this.#parts
    this.#unwatch = undefined
    const isDeleted = kind === 'deleted'
    const error = isDeleted ? isGone(path) : isChanged(path)
    if (isDeleted) this.#keeper.missing(path, error)
    // The end of a stranger's node is what was waited for. What happens to ours time and again backs off.
    ground.link.lapse(key, error, { paced: isDeleted && this.#waits })
  }

  #stopWatching(): void {
    this.#unwatch?.()
    this.#unwatch = undefined
  }
}

function isTaken(path: string): ZookeeperError {
  const message = `another session holds ${path}: tried again when that one goes, or pass takeover`
  return new ZookeeperError('instance-taken', message, { path, retryable: true })
}

function isGone(path: string): ZookeeperError {
  return new ZookeeperError('no-node', `${path} is not there: it is made again`, { path, retryable: true })
}

function isChanged(path: string): ZookeeperError {
  const message = `somebody else has written to ${path}: it is put right`
  return new ZookeeperError('bad-version', message, { path, retryable: true })
}
