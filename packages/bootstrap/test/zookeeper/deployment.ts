import type { ZookeeperDeployment } from '../../src/zookeeper/model.ts'

/** A place that no machine decided. */
export const zookeeperDeployment: ZookeeperDeployment = {
  lab: 'shop',
  folder: '/labs/shop',
  firstPort: 21_000,
  network: { kind: 'loopback' },
  installation: {
    version: '3.8.0',
    java: '/opt/java/bin/java',
    classPath: ['/opt/zookeeper.jar', '/opt/slf4j.jar'],
  },
}
