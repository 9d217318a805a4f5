import type { ClientEvent } from '../harness/client-event.ts'
import { startWorker, type Worker } from '../harness/worker.ts'

/** Who registers how many instances of the service `gateway`. */
export interface RegistrantSetup {
  readonly connect: string
  readonly sessionTimeoutMs: number
  readonly basePath: string
  readonly instances: number
}

export interface RegistrantCount {
  readonly registered: number
}

export interface RegistrantOutcome {
  /** `registered` whenever all of them are, beside those of the client. */
  readonly events: readonly ClientEvent[]
  /** How many are registered at the end. */
  readonly registered: number
}

/** A process whose client registers many instances. */
export type RegistrantRun = Worker<RegistrantCount, RegistrantOutcome>

/** The service that all of them are instances of. */
export const serviceName = 'gateway'

const program = new URL('./registrant-process.js', import.meta.url)

/** Starts a registrant and waits until all its instances are registered. */
export function runRegistrant(setup: RegistrantSetup): Promise<RegistrantRun> {
  return startWorker('registrant', program, setup)
}
