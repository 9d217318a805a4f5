import type { MariadbDeployment } from '../../src/mariadb/deployment.ts'

/** A place that no machine decided. */
export const mariadbDeployment: MariadbDeployment = {
  lab: 'shop',
  folder: '/labs/shop',
  dataFolder: '/data/shop',
  firstPort: 21_000,
  network: { kind: 'loopback' },
  installation: {
    version: '10.11.19',
    server: '/opt/mariadbd',
    client: '/opt/mariadb',
    installDb: '/opt/mariadb-install-db',
    provider: '/opt/libgalera_smm.so',
    arbitrator: '/opt/garbd',
    path: '/opt:/usr/bin',
  },
  runAs: null,
  administrator: 'alice',
}

/** The same place, of a lab that root starts. */
export const rootsPlace: MariadbDeployment = {
  ...mariadbDeployment,
  runAs: { uid: 104, gid: 107 },
  administrator: 'root',
}
