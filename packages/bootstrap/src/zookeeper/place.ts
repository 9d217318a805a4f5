import type { Network } from '../model/network.ts'
import type { ZookeeperInstallation } from './installation.ts'

/** Where a lab of ZooKeeper servers will be: what the machine decides, not the user. */
export interface ZookeeperDeployment {
  readonly lab: string
  /** Absolute; everything of the lab is in it. */
  readonly folder: string
  /** The first of a block of free ports. */
  readonly firstPort: number
  readonly network: Network
  readonly installation: ZookeeperInstallation
}
