import {
  type Clock,
  type Endpoint,
  formatEndpoint,
  type HaError,
  type HostLoad,
  type Routing,
  type View,
} from '@ha/core'
import type { Reading } from '../driver/reading.ts'
import { FitHistory } from './fit-history.ts'
import { type Incumbent, succeed } from './incumbent.ts'
import { isBalanced, route } from './route.ts'
import type { RouteRules } from './rules.ts'
import type { Asked, Wish } from './wish.ts'

/** The empty set of endpoints to avoid: the wish of every first try. */
export const nobody: ReadonlySet<string> = new Set()

interface ChooserParts {
  readonly rules: RouteRules
  /** For so long a server must be well again before it is preferred, in milliseconds. */
  readonly afterMs: number
  readonly clock: Clock
  readonly random: () => number
}

type Load = (endpoint: Endpoint) => HostLoad

/**
 * Routes with what is remembered beside the view: who has been well for how long, and who takes the writes. A choice
 * that depends on the view alone is made once for each view.
 */
export class Chooser {
  readonly #parts: ChooserParts
  readonly #history: FitHistory
  readonly #made = new Map<Asked, Routing>()
  #incumbent: Incumbent = { kind: 'none' }
  #view: View<Reading> | undefined

  constructor(parts: ChooserParts) {
    this.#parts = parts
    this.#history = new FitHistory(parts.rules, parts.afterMs)
  }

  /** Where a wish leads at this moment. */
  choose(wish: Wish, view: View<Reading>, load: Load): Routing {
    const nowMs = this.#parts.clock.now()
    if (view !== this.#view) {
      this.#view = view
      this.#made.clear()
      this.#history.see(view, nowMs)
    }
    if (wish.strays || isBalanced(this.#parts.rules, wish)) return this.#route(wish, view, load, nowMs)
    const made = this.#made.get(wish.asked)
    if (made !== undefined && this.#history.settled(nowMs)) return made
    // One call that lost its connection moves no writer: the view does, a moment later, or nobody.
    const routing = this.#route({ ...wish, avoid: nobody }, view, load, nowMs)
    const chosen = wish.asked === 'primary' ? this.#appoint(routing, view, nowMs) : routing
    if (chosen === routing) this.#made.set(wish.asked, chosen)
    return chosen
  }

  /** Whether calls that ask for this go to one server alone, as long as it is well. */
  isSingle(asked: Asked): boolean {
    return !isBalanced(this.#parts.rules, { asked })
  }

  /** Why a server, as `host:port`, takes no writes; undefined when it could. */
  objection(view: View<Reading>, name: string, load: Load): HaError | undefined {
    const members = view.members.filter(({ endpoint }) => formatEndpoint(endpoint) === name)
    const wish = { asked: 'primary', avoid: nobody, strays: true } as const
    const routing = this.#route(wish, { ...view, members }, load, this.#parts.clock.now())
    return routing.kind === 'none' ? routing.error : undefined
  }

  #appoint(routing: Routing, view: View<Reading>, nowMs: number): Routing {
    const isDown = (name: string): boolean =>
      view.members.every((member) => formatEndpoint(member.endpoint) !== name || member.health === 'down')
    this.#incumbent = succeed(this.#incumbent, routing, nowMs, isDown)
    return this.#incumbent.kind === 'awaited' ? { kind: 'none', error: this.#incumbent.error } : routing
  }

  #route(wish: Wish, view: View<Reading>, load: Load, nowMs: number): Routing {
    const { rules, random } = this.#parts
    const incumbent = this.#incumbent.kind === 'none' ? undefined : this.#incumbent.name
    const onProbation = (endpoint: Endpoint): boolean => this.#history.onProbation(endpoint, nowMs)
    return route(rules, wish, { view, load, onProbation, random, incumbent })
  }
}
