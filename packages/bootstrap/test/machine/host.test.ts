import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { availableMemoryMib, checkPlatform, freeDiskMib, machineUptime } from '../../src/machine/host.ts'

const mib = 1024 * 1024
const reader =
  (files: Readonly<Record<string, string>>) =>
  (path: string): string =>
    files[path] ?? ''
const machine = { '/proc/meminfo': 'MemTotal: 9 kB\nMemAvailable:    4096000 kB\n' }

test.each([
  ['a machine without limits', { '/proc/self/cgroup': '0::/\n' }, 4000],
  [
    'the limit of a container',
    {
      '/proc/self/cgroup': '0::/\n',
      '/sys/fs/cgroup/memory.max': `${512 * mib}\n`,
      '/sys/fs/cgroup/memory.current': `${200 * mib}\n`,
      '/sys/fs/cgroup/memory.stat': `anon 5\ninactive_file ${50 * mib}\n`,
    },
    362,
  ],
  [
    'the limit of a group above',
    {
      '/proc/self/cgroup': '0::/pod/app\n',
      '/sys/fs/cgroup/pod/memory.max': `${300 * mib}\n`,
      '/sys/fs/cgroup/pod/memory.current': `${100 * mib}\n`,
      '/sys/fs/cgroup/pod/app/memory.max': 'max\n',
      '/sys/fs/cgroup/pod/app/memory.current': `${90 * mib}\n`,
    },
    200,
  ],
  [
    'a container of cgroup version 1',
    {
      '/proc/self/cgroup': '9:cpu:/docker/1\n7:memory:/docker/1\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${256 * mib}\n`,
      '/sys/fs/cgroup/memory/memory.usage_in_bytes': `${300 * mib}\n`,
    },
    0,
  ],
])('the available memory is that of %s', (_, files, expected) => {
  expect(availableMemoryMib(reader({ ...machine, ...files }))).toBe(expected)
})

test('the memory of a system that reports none is unknown', () => {
  expect(availableMemoryMib(() => '')).toBeUndefined()
})

test('the free disk of a folder that does not exist yet is that of its parent', () => {
  expect(freeDiskMib(join(tmpdir(), 'not/yet/there'))).toBeGreaterThan(0)
})

test('the uptime does not follow the time of day', () => {
  const before = machineUptime()
  const now = Date.now
  Date.now = () => now() - 3_600_000
  try {
    expect(machineUptime().ms - before.ms).toBeLessThan(60_000)
    expect(machineUptime().boot).toBe(before.boot)
  } finally {
    Date.now = now
  }
})

test.each([
  ['', 'localhost does not resolve'],
  ['10.0.0.7', 'localhost is 10.0.0.7'],
])(
  'a localhost of %j is refused for RabbitMQ only, with the command that mends it',
  async (address, because) => {
    const resolve = async (): Promise<string> => address

    await expect(checkPlatform('rabbitmq', resolve)).rejects.toThrow(
      `${because}, but nodes of RabbitMQ join by that name; run: echo '127.0.0.1 localhost' >> /etc/hosts`,
    )
    await expect(checkPlatform('zookeeper', resolve)).resolves.toBeUndefined()
    await expect(checkPlatform('galera', resolve)).resolves.toBeUndefined()
  },
)
