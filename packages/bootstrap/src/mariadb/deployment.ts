import type { Account } from '../machine/host.ts'
import type { MariadbInstallation } from '../machine/installations.ts'
import type { Network } from '../model/network.ts'

/** The shortest silence after which a server of a lab may be suspected. */
export const minDetectMs = 500

/** Where a lab of MariaDB servers runs, as the machine determines it. */
export interface MariadbDeployment {
  readonly lab: string
  /** Absolute; contains the plan, the journal and the logs. */
  readonly folder: string
  /** Absolute; contains everything that the servers read and write, where their account can reach it. */
  readonly dataFolder: string
  /** The first of a block of free ports. */
  readonly firstPort: number
  readonly network: Network
  readonly installation: MariadbInstallation
  /** The account of the servers, which do not run as root; null: that of the user who starts the lab. */
  readonly runAs: Account | null
  /**
   * The user who starts the lab, and may log in to the servers as administrator over their sockets; null for a user
   * without a name, whom servers cannot recognize: then the folder of the sockets keeps others away.
   */
  readonly administrator: string | null
}

/** The files of one server; absolute paths. */
interface ServerPaths {
  readonly conf: string
  readonly startScript: string
  readonly data: string
  readonly socket: string
}

/** The files of the server of that name. */
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
