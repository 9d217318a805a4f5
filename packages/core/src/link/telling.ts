import { formatEndpoint } from '../address/endpoint.ts'
import type { HaError } from '../errors/ha-error.ts'
import { coreChannels } from '../report/channels.ts'
import { Emitter } from '../runtime/emitter.ts'
import type { Failover, LinkEvents, Loss } from './link-events.ts'
import { endpointOf, type LinkState } from './link-state.ts'

/** Tells what happens to a link: as its events, and on the diagnostics channels while somebody listens there. */
export class Telling<C> {
  readonly #link: string
  readonly events: Emitter<LinkEvents<C>> = new Emitter<LinkEvents<C>>()

  constructor(link: string) {
    this.#link = link
  }

  state(state: LinkState<C>, generation: number): void {
    if (coreChannels.linkState.hasSubscribers) {
      const at = endpointOf(state)
      const endpoint = at === undefined ? undefined : formatEndpoint(at)
      coreChannels.linkState.publish({ link: this.#link, state: state.kind, endpoint, generation })
    }
    this.events.emit('state', state)
  }

  lost(loss: Loss): void {
    if (coreChannels.linkLost.hasSubscribers) coreChannels.linkLost.publish({ link: this.#link, ...loss })
    this.events.emit('lost', loss)
  }

  failover(failover: Failover): void {
    if (coreChannels.linkFailover.hasSubscribers)
      coreChannels.linkFailover.publish({ link: this.#link, ...failover })
    this.events.emit('failover', failover)
  }

  refused(key: string, error: HaError): void {
    this.events.emit('refused', { key, error })
  }
}
