import { formatEndpoint } from '../address/endpoint.ts'
import type { Member } from '../model/member.ts'
import { coreChannels } from '../report/channels.ts'
import { Emitter } from '../runtime/emitter.ts'
import { calledFrom } from './called-from.ts'
import type { GenerationOver, Leak, PoolEvents } from './pool-events.ts'

/** Tells what happens to a pool: as its events, and on the diagnostics channels while somebody listens there. */
export class PoolTelling {
  readonly #pool: string
  readonly events: Emitter<PoolEvents> = new Emitter<PoolEvents>()
  #nestedTold = false

  constructor(pool: string) {
    this.#pool = pool
  }

  host(before: Member, now: Member): void {
    const change = {
      endpoint: formatEndpoint(now.endpoint),
      from: before.health,
      to: now.health,
      error: now.lastError,
    }
    if (coreChannels.poolHost.hasSubscribers) coreChannels.poolHost.publish({ pool: this.#pool, ...change })
    this.events.emit('host', change)
  }

  generationBegun(endpoint: string, generation: number): void {
    if (coreChannels.poolGeneration.hasSubscribers)
      coreChannels.poolGeneration.publish({ pool: this.#pool, endpoint, generation, error: undefined })
  }

  generationOver(over: GenerationOver): void {
    const { endpoint, generation, error } = over
    if (coreChannels.poolGeneration.hasSubscribers)
      coreChannels.poolGeneration.publish({ pool: this.#pool, endpoint, generation, error })
    this.events.emit('generationOver', over)
  }

  exhausted(endpoint: string, error: Error): void {
    const exhaustion = { endpoint, error }
    if (coreChannels.poolExhausted.hasSubscribers)
      coreChannels.poolExhausted.publish({ pool: this.#pool, ...exhaustion })
    this.events.emit('exhausted', exhaustion)
  }

  leak(leak: Leak): void {
    this.events.emit('leak', leak)
  }

  /** Once: those who do it do it always. */
  nested(endpoint: string): void {
    if (this.#nestedTold) return
    this.#nestedTold = true
    this.events.emit('nested', { endpoint, stack: calledFrom() })
  }
}
