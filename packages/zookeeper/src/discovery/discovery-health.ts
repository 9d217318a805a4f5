import type { RegistrationState } from './registration-state.ts'
import type { ServiceViewState } from './service-view.ts'

/** What a discovery is doing at this moment. */
export interface DiscoveryHealth {
  readonly registrations: readonly {
    readonly path: string
    readonly state: RegistrationState['kind']
    /** Why it is not registered; undefined when it is, or when nothing is known. */
    readonly reason: Error | undefined
  }[]
  readonly services: readonly {
    readonly name: string
    readonly state: ServiceViewState
    /** Why its list is not read, or an instance is missing from it; undefined when nothing is known. */
    readonly reason: Error | undefined
    /** How many instances are listed. */
    readonly instances: number
    /** How many nodes hold something that is no instance. */
    readonly strange: number
  }[]
}
