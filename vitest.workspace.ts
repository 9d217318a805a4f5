import type { TestProjectConfiguration } from 'vitest/config'

// Unit tests and those beside them read the sources; integration tests use what is built, as a user would.
const sources = {
  resolve: { conditions: ['@ha/source'] },
  ssr: { resolve: { conditions: ['@ha/source'] } },
}

/** Tests on real servers: one cluster for all of a project, started once by tools/test/shared-lab.ts. */
function onRealServers(name: string, include: readonly string[]): TestProjectConfiguration {
  const setup = name === 'lab' ? {} : { globalSetup: ['tools/test/shared-lab.ts'] }
  return {
    test: {
      name,
      include: [...include],
      ...setup,
      environment: 'node',
      fileParallelism: false,
      testTimeout: 120_000,
      hookTimeout: 180_000,
      // A real server on a busy machine takes its time.
      expect: { poll: { timeout: 20_000 } },
    },
  }
}

/**
 * The kinds of test, in the order of what they cost. `npm test` runs them all; `npx vitest --project unit` runs one.
 * The files of a project share one load of the modules; tests that replace a module are in `isolated`.
 */
const projects: readonly TestProjectConfiguration[] = [
  {
    ...sources,
    test: {
      name: 'unit',
      include: ['{packages/*,examples/*,bench,tools}/test/**/*.test.ts'],
      environment: 'node',
      isolate: false,
    },
  },
  {
    ...sources,
    test: {
      name: 'contract',
      include: ['packages/*/test/**/*.contract.ts'],
      environment: 'node',
      isolate: false,
    },
  },
  {
    // Seeded runs and sweeps over every byte, in virtual time: a dose of them; all of them in `npm run soak`.
    ...sources,
    test: {
      name: 'simulation',
      include: ['packages/*/test/**/*.sim.ts'],
      environment: 'node',
      isolate: false,
      // A series of runs, on a machine that does other work as well.
      testTimeout: 60_000,
    },
  },
  {
    // In-process fakes on real loopback sockets and in real time.
    ...sources,
    test: {
      name: 'socket',
      include: ['packages/*/test/**/*.socket.ts'],
      environment: 'node',
      isolate: false,
      testTimeout: 20_000,
    },
  },
  {
    ...sources,
    test: { name: 'isolated', include: ['packages/*/test/**/*.isolated.ts'], environment: 'node' },
  },
  onRealServers('rabbitmq', [
    '{packages/rabbit,packages/testing/test/rabbit,examples/rabbit-orders}/**/*.int.ts',
  ]),
  onRealServers('galera', [
    '{packages/mariadb,packages/testing/test/mariadb,examples/mariadb-accounts}/**/*.int.ts',
  ]),
  onRealServers('zookeeper', ['{packages/zookeeper,packages/testing/test/zookeeper}/**/*.int.ts']),
  onRealServers('lab', ['{packages/bootstrap,bench,examples/mqtt-router}/test/**/*.int.ts']),
]

export default projects
