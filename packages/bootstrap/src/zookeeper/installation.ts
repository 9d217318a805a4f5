/** Where Java and the jars of ZooKeeper are on this machine; an input of the plan, found by `machine/`. */
export interface ZookeeperInstallation {
  readonly version: string
  /** The program `java`. */
  readonly java: string
  /** What Java gets as its class path. An entry that ends in `*` means every jar of that folder. */
  readonly classPath: readonly string[]
}
