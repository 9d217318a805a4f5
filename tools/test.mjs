// npm test: installs and builds what is missing, gets the servers, runs every check and every test.
// `npm test -- --no-servers` leaves out the tests that need real servers.
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkExportedTypes } from './exported-types.mjs'
import { bin, prepare, run } from './prepare.mjs'
import { checkSmallModules } from './small-modules.mjs'
import { Steps } from './steps.mjs'

const serverless = ['unit', 'contract', 'simulation', 'socket', 'isolated']
// One after the other: one cluster at a time.
const withServers = ['rabbitmq', 'galera', 'zookeeper', 'lab']

prepare()
const steps = new Steps()
await steps.run('the sources have one style, and layers import downwards only (biome)', () =>
  must(bin('biome', ['check', '.'])),
)
await steps.run('the tests are typed (tsc)', () => must(bin('tsc', ['-p', 'tsconfig.test.json'])))
await steps.run('no new file under 100 lines with one importer', checkSmallModules)
await steps.run('one exported type name, one idea', checkExportedTypes)
await steps.run('docs/errors.md tells of every code', () =>
  must(run(process.execPath, ['tools/errors-doc.mjs', '--check'])),
)

const missing = process.argv.includes('--no-servers') ? 'asked for with --no-servers' : await getServers()
const folder = await mkdtemp(join(tmpdir(), 'ha-test-'))
try {
  // These tests wait for sockets and timers more than they compute: one worker more than there are processors.
  steps.add(
    runTests(serverless, join(folder, 'results.json'), [`--maxWorkers=${availableParallelism() + 1}`]),
  )
  if (missing !== undefined) sayWhatIsSkipped(join(folder, 'list.json'), missing)
  else for (const name of withServers) steps.add(runTests([name], join(folder, `${name}.json`)))
} finally {
  await rm(folder, { recursive: true })
}
steps.end()

/** Installs the servers that are missing; returns why there are none. */
async function getServers() {
  const { missingServers } = await import('../bench/dist/harness/lab.js')
  for (const [kind, words] of [
    ['rabbitmq', 'RabbitMQ'],
    ['galera', 'MariaDB with Galera'],
    ['zookeeper', 'ZooKeeper'],
  ]) {
    const missing = await missingServers(kind)
    if (missing !== undefined) return `this machine has no ${words}: ${missing}`
  }
  return undefined
}

function runTests(projects, file, options = []) {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const code = bin('vitest', [
    'run',
    ...reporters,
    ...projects.flatMap((name) => ['--project', name]),
    ...options,
  ])
  // Without a cluster there is no test, and no file.
  if (!existsSync(file)) return { passed: 0, failed: 1 }
  const {
    numPassedTests: passed,
    numFailedTests,
    numFailedTestSuites,
  } = JSON.parse(readFileSync(file, 'utf8'))
  // A file that cannot be loaded, or an unhandled error, has no test to its name.
  const failed = numFailedTests === 0 && code !== 0 ? Math.max(1, numFailedTestSuites) : numFailedTests
  return { passed, failed }
}

function sayWhatIsSkipped(file, why) {
  bin('vitest', ['list', `--json=${file}`, ...withServers.flatMap((name) => ['--project', name])])
  const skipped = JSON.parse(readFileSync(file, 'utf8')).length
  console.log(`${skipped} tests on real servers were skipped: ${why}`)
}

function must(code) {
  if (code !== 0) throw new Error('see above')
}
