// npm run drill | bench | demo: which program, with which options.
import { isHaError } from '@ha/core'
import { didYouMean } from '@ha/core/driver'
import { chaosDrill } from './chaos/drill.ts'
import { UsageError } from './harness/args.ts'
import { Interrupted } from './harness/lab.ts'
import { commitFaultsDrill } from './mariadb/commit-faults.ts'
import { mariadbDemo } from './mariadb/demo.ts'
import { mariadbDrill } from './mariadb/drill.ts'
import { failoverBench as mariadbFailoverBench } from './mariadb/failover.ts'
import { idleFreezeDrill } from './mariadb/idle-freeze.ts'
import { overheadBench } from './mariadb/overhead.ts'
import { quorumDrill } from './mariadb/quorum.ts'
import { staleReadsDrill } from './mariadb/stale-reads.ts'
import { waitersDrill } from './mariadb/waiters.ts'
import { rabbitDemo } from './rabbit/demo.ts'
import { rabbitDrill } from './rabbit/drill.ts'
import { failoverBench } from './rabbit/failover.ts'
import { falseAlarmsDrill } from './rabbit/false-alarms.ts'
import { outageDrill } from './rabbit/outage.ts'
import { silentPeerDrill } from './rabbit/silent-peer.ts'
import { throughputBench } from './rabbit/throughput.ts'
import { awayDrill } from './zookeeper/away.ts'
import { zookeeperDemo } from './zookeeper/demo.ts'
import { zookeeperDrill } from './zookeeper/drill.ts'
import { failoverBench as zookeeperFailoverBench } from './zookeeper/failover.ts'
import { freezeDrill } from './zookeeper/freeze.ts'
import { gateDrill } from './zookeeper/gate.ts'
import { lostDrill } from './zookeeper/lost.ts'
import { rollingDrill } from './zookeeper/rolling.ts'

/** Runs with the remaining words of the command line; false when a guarantee was violated. */
type Program = (argv: readonly string[]) => Promise<boolean>

// The demo that `npm run demo` runs without a name.
const defaultDemo = 'rabbit'

const programs: Readonly<Record<string, Readonly<Record<string, Program>>>> = {
  drill: {
    chaos: chaosDrill,
    mariadb: mariadbDrill,
    'mariadb-commit': commitFaultsDrill,
    'mariadb-idle-freeze': idleFreezeDrill,
    'mariadb-quorum': quorumDrill,
    'mariadb-stale-reads': staleReadsDrill,
    'mariadb-waiters': waitersDrill,
    rabbit: rabbitDrill,
    'rabbit-false-alarms': falseAlarmsDrill,
    'rabbit-outage': outageDrill,
    'rabbit-silent-peer': silentPeerDrill,
    zookeeper: zookeeperDrill,
    'zookeeper-away': awayDrill,
    'zookeeper-freeze': freezeDrill,
    'zookeeper-gate': gateDrill,
    'zookeeper-lost': lostDrill,
    'zookeeper-rolling': rollingDrill,
  },
  bench: {
    'mariadb-failover': mariadbFailoverBench,
    'mariadb-overhead': overheadBench,
    'rabbit-failover': failoverBench,
    'rabbit-throughput': throughputBench,
    'zookeeper-failover': zookeeperFailoverBench,
  },
  demo: {
    mariadb: mariadbDemo,
    rabbit: rabbitDemo,
    zookeeper: zookeeperDemo,
  },
}

async function main(argv: readonly string[]): Promise<boolean> {
  const [door = '', ...words] = argv
  const behind = programs[door] ?? {}
  const isNamed = words[0]?.startsWith('--') === false
  const [name = '', ...rest] = isNamed || door !== 'demo' ? words : [defaultDemo, ...words]
  const program = behind[name]
  if (program === undefined) {
    const names = Object.keys(behind)
    throw new UsageError(
      `npm run ${door} -- NAME: NAME is one of ${names.join(', ')}${didYouMean(name, names)}`,
    )
  }
  return program(rest)
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1
} catch (error) {
  if (error instanceof Interrupted) {
    console.error(`${error.message}; everything that it started has been stopped`)
    // Unfinished work would keep the process alive.
    process.exit(130)
  }
  if (!(error instanceof UsageError || isHaError(error))) throw error
  console.error(error.message)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
