/** Where the programs of MariaDB are on this machine; an input of the plan, found by `machine/`. */
export interface MariadbInstallation {
  readonly version: string
  /** `mariadbd`. */
  readonly server: string
  /** `mariadb`, the client program: it answers in 5 ms. */
  readonly client: string
  /** `mariadb-install-db`. */
  readonly installDb: string
  /** The library that makes a server a member of a Galera cluster; null when it is not there. */
  readonly provider: string | null
  /** `garbd`, a member without data; null when it is not there. */
  readonly arbitrator: string | null
  /** Where the server keeps the scripts that copy data to a joiner, and what those need. */
  readonly path: string
}
