import type { Account } from '../machine/host.ts'
import type { MariadbInstallation } from '../machine/installations.ts'
import type { Network } from '../model/network.ts'

/** The shortest silence after which a server of a lab may be suspected. */
export const minDetectMs = 500

/** Where a lab of MariaDB servers will be: what the machine decides, not the user. */
export interface MariadbDeployment {
  readonly lab: string
  /** Absolute; the plan, the journal and the logs are in it. */
  readonly folder: string
  /** Absolute; everything that servers read and write is in it, where the user that they run as can reach it. */
  readonly dataFolder: string
  /** The first of a block of free ports. */
  readonly firstPort: number
  readonly network: Network
  readonly installation: MariadbInstallation
  /** The account that servers run as; null: that of whoever starts the lab. Servers do not run as root. */
  readonly runAs: Account | null
  /** The user that starts the lab, to whom the servers open their sockets as an administrator. */
  readonly administrator: string
}

/** Where the files of one server are; all absolute. */
interface ServerPaths {
  readonly conf: string
  readonly startScript: string
  readonly data: string
  readonly socket: string
}

/** Where the files of the server of that name are. */
export function serverPaths(
  { dataFolder }: Pick<MariadbDeployment, 'dataFolder'>,
  node: string,
): ServerPaths {
  return {
    conf: `${dataFolder}/conf/${node}.cnf`,
    startScript: `${dataFolder}/conf/${node}.sh`,
    data: `${dataFolder}/${node}`,
    socket: `${dataFolder}/${node}.sock`,
  }
}
