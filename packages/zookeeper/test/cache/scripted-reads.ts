import { HaError } from '@ha/core'
import { Notifier } from '@ha/core/driver'
import { FakeClock, settle } from '@ha/core/testing'
import type { ClientContext } from '../../src/context.ts'
import type { Children, Node, Stat, WatchEvent } from '../../src/node.ts'
import type { Watched, WatchedReads } from '../../src/operations/operations.ts'
import type { LiveSession, Sessions } from '../../src/session/session.ts'
import { nodeOf, statOf } from './node-of.ts'

/** One read that the test answers. */
export interface Asked {
  readonly what: string
  /** Answers with a value; undefined is *no such node*. */
  answer(value: unknown): Promise<void>
  fail(error: Error): Promise<void>
  /** Fires the watch of the read, once. */
  tell(kind: WatchEvent['kind']): Promise<void>
}

/** Watched reads that the test answers. */
export class ScriptedReads implements WatchedReads {
  readonly #open: Asked[] = []
  readonly #watches = new Map<string, (event: WatchEvent) => void>()
  /** The number of reads so far. */
  asked = 0

  /** The reads in flight, such as `get /a`. */
  get open(): readonly string[] {
    return this.#open.map(({ what }) => what)
  }

  /** The watches, in the same format. */
  get watched(): readonly string[] {
    return [...this.#watches.keys()].sort()
  }

  /** Takes a read in flight. */
  take(what: string): Asked {
    const index = this.#open.findIndex((one) => one.what === what)
    const [asked] = index < 0 ? [] : this.#open.splice(index, 1)
    if (asked === undefined) throw new Error(`${what} is not being read, but ${this.open.join(', ')}`)
    return asked
  }

  /** Fires all watches. */
  async tell(what: string, kind: WatchEvent['kind']): Promise<void> {
    const onEvent = this.#watches.get(what)
    if (onEvent === undefined) throw new Error(`${what} is not watched`)
    this.#watches.delete(what)
    onEvent({ kind, path: what.slice(what.indexOf('/')) })
    await settle()
  }

  /** Answers all reads from this tree, apart from those that fail, until no read is in flight. */
  async serve(
    tree: ReadonlyMap<string, Node>,
    failureOf: (what: string) => Error | undefined = () => undefined,
  ): Promise<void> {
    await settle()
    for (let [asked] = this.#open; asked !== undefined; [asked] = this.#open) {
      const { what } = asked
      const failure = failureOf(what)
      this.take(what)
      const [kind = '', path = ''] = what.split(' ')
      if (failure === undefined) await asked.answer(kind === 'get' ? tree.get(path) : childrenIn(tree, path))
      else await asked.fail(failure)
    }
  }

  get(path: string, onEvent: (event: WatchEvent) => void): Promise<Watched<Node | undefined>> {
    return this.#ask(`get ${path}`, onEvent)
  }

  exists(path: string, onEvent: (event: WatchEvent) => void): Promise<Watched<Stat | undefined>> {
    return this.#ask(`exists ${path}`, onEvent)
  }

  children(path: string, onEvent: (event: WatchEvent) => void): Promise<Watched<Children | undefined>> {
    return this.#ask(`children ${path}`, onEvent)
  }

  #ask<T>(what: string, onEvent: (event: WatchEvent) => void): Promise<Watched<T>> {
    this.asked += 1
    this.#watches.set(what, onEvent)
    const unwatch = (): void => {
      if (this.#watches.get(what) === onEvent) this.#watches.delete(what)
    }
    return new Promise<Watched<T>>((resolve, reject) => {
      this.#open.push({
        what,
        answer: (value) => {
          resolve({ value: value as T, unwatch })
          return settle()
        },
        fail: (error) => {
          unwatch()
          reject(error)
          return settle()
        },
        tell: (kind) => this.tell(what, kind),
      })
    })
  }
}

function childrenIn(tree: ReadonlyMap<string, Node>, path: string): Children | undefined {
  const node = tree.get(path)
  const below = path === '/' ? '/' : `${path}/`
  const names = [...tree.keys()]
    .filter((other) => other !== path && other.startsWith(below) && !other.slice(below.length).includes('/'))
    .map((other) => other.slice(below.length))
  return node && { names, stat: node.stat }
}

/** Sessions that the test starts and ends. */
export class ScriptedSessions implements Sessions {
  readonly changed = new Notifier()
  readonly #clock: FakeClock
  current: LiveSession | undefined
  connected = false
  #epoch = 0

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  /** A new session, whose latest answered request is sent now. */
  async begin(): Promise<void> {
    this.#epoch += 1
    const { signal } = new AbortController()
    const confirmedAtMs = this.#clock.now()
    const certainUntilMs = confirmedAtMs + 4_000
    const keepCertain = (): (() => void) => () => undefined
    const granted = { id: BigInt(this.#epoch), epoch: this.#epoch, timeoutMs: 4_000 }
    this.current = { ...granted, signal, confirmedAtMs, certainUntilMs, keepCertain }
    await this.connect(true)
  }

  async connect(connected: boolean): Promise<void> {
    this.connected = connected
    this.changed.notifyAll()
    await settle()
  }

  async waitForSession(signal: AbortSignal): Promise<LiveSession> {
    for (;;) {
      if (this.current !== undefined && this.connected) return this.current
      await this.changed.wait(signal)
    }
  }
}

/** The context of a cache, controlled by the test. */
export function scriptedContext() {
  const clock = new FakeClock()
  const reads = new ScriptedReads()
  const sessions = new ScriptedSessions(clock)
  const end = new AbortController()
  const defects: unknown[] = []
  const context = {
    watchedReads: reads,
    sessions,
    clock,
    random: () => 0.5,
    signal: end.signal,
    operationTimeoutMs: 1_000,
    link: { start: () => undefined, unavailableReason: () => undefined },
    reportDefect: (_where: string, thrown: unknown) => defects.push(thrown),
  } as unknown as ClientContext
  return { context, clock, reads, sessions, end, defects }
}

/** A tree of nodes; the position in the list is the transaction that created and changed the node. */
export function treeOf(...paths: readonly string[]): Map<string, Node> {
  return new Map(
    paths.map((path, i) => [path, nodeOf(path, { czxid: BigInt(i), mzxid: BigInt(i), pzxid: BigInt(i) })]),
  )
}

export function childrenOf(names: readonly string[], pzxid: bigint, czxid = 0n): Children {
  return { names, stat: statOf({ czxid, pzxid }) }
}

export const passing: HaError = new HaError('timed-out', 'no answer', { retryable: true })
export const forGood: HaError = new HaError('no-auth', 'not allowed')
