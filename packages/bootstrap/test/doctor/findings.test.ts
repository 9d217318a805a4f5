import { expect, test } from 'vitest'
import { assessMachine, type MachineFacts } from '../../src/doctor/findings.ts'
import { mariadbDeployment } from '../mariadb/deployment.ts'
import { deployment } from '../rabbitmq/deployment.ts'
import { zookeeperDeployment } from '../zookeeper/deployment.ts'

const sound: MachineFacts = {
  hasProc: true,
  localhost: '127.0.0.1',
  rabbit: { kind: 'found', installation: deployment.installation },
  mariadb: { kind: 'found', installation: mariadbDeployment.installation },
  zookeeper: { kind: 'found', installation: zookeeperDeployment.installation },
  sandboxRefusal: undefined,
  host: { families: ['debian'], isRoot: true },
  availableMemoryMib: 4000,
  freeDiskMib: 4000,
  home: '/labs',
  homeIsWritable: true,
  labs: [],
  leftovers: [],
}
const bad = (facts: Partial<MachineFacts>): readonly unknown[] =>
  assessMachine({ ...sound, ...facts })
    .filter((finding) => finding.level !== 'ok')
    .map(({ about, level, fix }) => [about, level, fix])

test('a sound machine has nothing but good findings', () => {
  expect(bad({})).toEqual([])
})

test.each<readonly [string, Partial<MachineFacts>, readonly unknown[]]>([
  ['no /proc', { hasProc: false }, ['system', 'error', undefined]],
  [
    'a wrong localhost',
    { localhost: '10.0.0.1' },
    ['localhost', 'error', "echo '127.0.0.1 localhost' >> /etc/hosts"],
  ],
  [
    'no servers as root',
    { rabbit: { kind: 'missing', programs: ['rabbitmq-server', 'erl'], home: undefined } },
    ['rabbitmq', 'error', 'hactl doctor --fix'],
  ],
  [
    'a RabbitMQ without its Erlang',
    { rabbit: { kind: 'missing', programs: ['erl'], home: '/opt/rabbit' } },
    ['rabbitmq', 'error', expect.stringContaining('the folder of erl')],
  ],
  [
    'no MariaDB as root',
    { mariadb: { kind: 'missing', programs: ['mariadbd'], home: undefined } },
    ['mariadb', 'error', 'hactl doctor --fix'],
  ],
  [
    'a MariaDB without Galera',
    {
      mariadb: { kind: 'found', installation: { ...mariadbDeployment.installation, provider: null } },
    },
    ['mariadb', 'warning', 'apt-get install -y --no-install-recommends galera-4'],
  ],
  [
    'no ZooKeeper as root',
    { zookeeper: { kind: 'missing', programs: ['zookeeper.jar'], home: undefined } },
    ['zookeeper', 'error', 'hactl doctor --fix'],
  ],
  [
    'a ZooKeeper without Java',
    { zookeeper: { kind: 'missing', programs: ['java'], home: '/usr/share/java' } },
    ['zookeeper', 'error', expect.stringContaining('default-jre-headless')],
  ],
  [
    'no program for namespaces',
    { sandboxRefusal: { because: 'not found: ip', missing: ['ip'] } },
    ['sandbox', 'warning', 'apt-get install -y iproute2 util-linux mount'],
  ],
  [
    'a kernel that refuses namespaces',
    { sandboxRefusal: { because: 'the kernel does not allow it: unshare failed', missing: [] } },
    ['sandbox', 'warning', undefined],
  ],
  ['little memory', { availableMemoryMib: 100 }, ['memory', 'warning', undefined]],
  ['little disk', { freeDiskMib: 100 }, ['disk', 'warning', undefined]],
  ['a folder of somebody else', { homeIsWritable: false }, ['labs', 'error', 'export HACTL_HOME=~/labs']],
  [
    'a lab without supervisor',
    { labs: [{ name: 'a', isFailed: false, isSupervised: false }] },
    ['lab a', 'warning', 'hactl status --name a'],
  ],
  [
    'a failed lab',
    { labs: [{ name: 'a', isFailed: true, isSupervised: false }] },
    ['lab a', 'warning', 'hactl down --name a'],
  ],
  ['what a crash left', { leftovers: ['b'] }, ['lab b', 'warning', 'hactl down --name b']],
])('%s is found, with what to type', (_, facts, finding) => {
  expect(bad(facts)).toEqual([finding])
})
