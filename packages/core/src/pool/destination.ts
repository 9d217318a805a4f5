import type { Endpoint } from '../address/endpoint.ts'
import type { HaError } from '../errors/ha-error.ts'
import type { View } from '../model/view.ts'
import type { Host } from './host.ts'
import type { HostLoad, Route } from './route.ts'

/** What an acquire looks at. */
export interface Ground<C, R> {
  readonly view: View<R>
  readonly host: (endpoint: Endpoint) => Host<C> | undefined
}

/** Where an acquire goes now: to a host, or nowhere until the view changes, or, when it is final, nowhere at all. */
export type Destination<C> =
  | { readonly kind: 'host'; readonly host: Host<C> }
  | { readonly kind: 'nowhere'; readonly error: HaError | undefined; readonly final: boolean }

const noLoad: HostLoad = { inUse: 0, waiting: 0, free: 0 }

/** Asks the route, and takes the first of its endpoints that can be used without trouble, else the first that can be. */
export function destination<C, R>({ view, host }: Ground<C, R>, route: Route<R>): Destination<C> {
  const routing = route(view, (endpoint) => host(endpoint)?.load() ?? noLoad)
  if (routing.kind === 'none') return { kind: 'nowhere', error: routing.error, final: routing.final ?? false }
  let usable: Host<C> | undefined
  let first: Host<C> | undefined
  for (const endpoint of routing.endpoints) {
    const candidate = host(endpoint)
    if (candidate?.usable && candidate.trouble === undefined) return { kind: 'host', host: candidate }
    if (candidate?.usable) usable ??= candidate
    first ??= candidate
  }
  const best = usable ?? first
  return best === undefined
    ? { kind: 'nowhere', error: undefined, final: false }
    : { kind: 'host', host: best }
}
