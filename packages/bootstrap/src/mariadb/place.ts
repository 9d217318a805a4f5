import { labError } from '../model/codes.ts'
import { checkName } from '../model/names.ts'
import type { MariadbInstallation } from './installation.ts'

/** A user of this machine, and its first group. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Where a lab of MariaDB servers will be: what the machine decides, not the user. */
export interface MariadbPlace {
  readonly lab: string
  /** Absolute; the plan, the journal and the logs are in it. */
  readonly folder: string
  /** Absolute; everything that servers read and write is in it, where the user that they run as can reach it. */
  readonly dataFolder: string
  /** The first of a block of free ports. */
  readonly firstPort: number
  readonly installation: MariadbInstallation
  /** The account that servers run as; null: that of whoever starts the lab. Servers do not run as root. */
  readonly runAs: Account | null
  /** The user that starts the lab, to whom the servers open their sockets as an administrator. */
  readonly administrator: string
}

/** Checks what is the same for all labs of MariaDB servers. */
export function checkPlace(place: MariadbPlace, ports: number): void {
  checkName(place.lab, 'lab')
  const last = 65_536 - ports
  const { firstPort } = place
  // Ports below 1024 belong to the system; above 65535 there are none.
  if (!Number.isInteger(firstPort) || firstPort < 1024 || firstPort > last) {
    throw labError(
      'config-invalid',
      `basePort: expected 1024 to ${last} for ${ports} ports, got ${firstPort}`,
    )
  }
}

/** Returns the detection time, or says what is wrong with it. */
export function checkDetect(detectMs: number | undefined): number | null {
  if (detectMs === undefined) return null
  if (!Number.isInteger(detectMs) || detectMs < 500 || detectMs > 60_000) {
    throw labError('config-invalid', `detectMs: expected 500 to 60000 milliseconds, got ${detectMs}`)
  }
  return detectMs
}
