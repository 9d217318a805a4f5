import type { TestProjectConfiguration } from 'vitest/config'

/**
 * The kinds of test, in the order in which they cost. `npm test` runs them all; `npx vitest --project unit` runs one.
 * Unit and contract tests read the sources; integration tests use what is built, as a user would.
 */
const projects: readonly TestProjectConfiguration[] = [
  {
    resolve: { conditions: ['@ha/source'] },
    ssr: { resolve: { conditions: ['@ha/source'] } },
    test: {
      name: 'unit',
      include: ['{packages/*,examples/*,bench,tools}/test/**/*.test.ts'],
      environment: 'node',
    },
  },
  {
    resolve: { conditions: ['@ha/source'] },
    ssr: { resolve: { conditions: ['@ha/source'] } },
    test: { name: 'contract', include: ['packages/*/test/**/*.contract.ts'], environment: 'node' },
  },
  {
    // In-process fakes on real loopback sockets and in real time.
    resolve: { conditions: ['@ha/source'] },
    ssr: { resolve: { conditions: ['@ha/source'] } },
    test: {
      name: 'socket',
      include: ['packages/*/test/**/*.socket.ts'],
      environment: 'node',
      testTimeout: 20_000,
    },
  },
  {
    test: {
      name: 'integration',
      include: ['{packages/*,examples/*,bench}/test/**/*.int.ts'],
      environment: 'node',
      fileParallelism: false,
      testTimeout: 120_000,
      hookTimeout: 180_000,
      // A real server on a busy machine takes its time.
      expect: { poll: { timeout: 20_000 } },
    },
  },
]

export default projects
