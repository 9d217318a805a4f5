import { readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { type FaultAction, processFaults } from '../lab/events.ts'
import {
  kindNames,
  type NetworkFault,
  type PartitionSide,
  partitionFrom,
  partitionSides,
  serverFaults,
} from '../model/plan.ts'
import { parseDuration } from '../model/validation.ts'
import { explainInterrupt, type InterruptKind, type VerbContext, type VerbResult } from './run-verb.ts'
import {
  down,
  env,
  fault,
  heal,
  kindOf,
  logs,
  recover,
  runDoctor,
  sandbox,
  status,
  topologyOf,
  type UpFlags,
  up,
} from './verbs.ts'

/** A verb with its arguments filled in, ready to run. */
export type Verb = (context: VerbContext) => Promise<VerbResult>

const faultDescriptions: Readonly<Record<Exclude<FaultAction, NetworkFault>, string>> = {
  kill: 'kill a node with SIGKILL; healing starts it again',
  stop: 'stop a node gracefully; healing starts it again',
  pause: 'pause a node with SIGSTOP: it accepts connections and does not answer',
  isolate: 'galera: cut a node off from its group, so that it has no majority',
  desync: 'galera: take a node out of flow control, like a donor',
  'reject-queries': 'galera: make a node reject every query',
  'read-only': 'galera, or the primary of a replication: make a node reject writes',
  'stop-applier': 'replication: stop a replica from applying what it fetches',
}

type Choose = (kind: InterruptKind, verb: Verb) => void

/** The command line of hactl. The verb that was typed is passed to `take`. */
export function hactlProgram(take: (verb: Verb) => void): Command {
  const choose: Choose = (kind, verb) => take(explainInterrupt(kind, verb))
  const program = new Command('hactl')
    .description('Starts, breaks, heals and ends real clusters on this machine.')
    .version(packageVersion(), '--version', 'print the version of hactl')
    .helpCommand(true)
    // The options after the name of a program that hactl runs belong to that program.
    .enablePositionalOptions()
  addUp(program, choose)
  addFaults(program, choose)
  verb(program, 'status', 'show every node and whether all members agree').action((flags) =>
    choose('look', (context) => status(flags, context)),
  )
  verb(program, 'logs <node>', 'print the end of a node’s log')
    .option('--follow', 'print what is appended to it')
    .action((node, flags) => choose('look', (context) => logs(node, flags, context)))
  verb(program, 'env', 'print the address for applications: eval "$(hactl env)"').action((flags) =>
    choose('look', () => env(flags)),
  )
  verb(program, 'down', 'end a lab: all of its processes, and its folder')
    .option('--all', 'end all labs')
    .action((flags) => choose('down', (context) => down(flags, context)))
  program
    .command('doctor [kind...]')
    .description('check this machine for everything that a lab needs')
    .option('--fix', 'install missing servers where this user may')
    .option('--root <folder>', 'look for the servers in the root of another system; default $HACTL_ROOT')
    .option('--json', 'print one JSON document')
    .action((kinds, flags) =>
      choose(flags.fix === true ? 'fix' : 'look', (context) => runDoctor(kinds.map(kindOf), flags, context)),
    )
  program
    .command('sandbox <command...>')
    .description('run a command in a network of its own, where nodes can be partitioned')
    .passThroughOptions()
    .action((command) => choose('sandbox', (context) => sandbox(command, context)))
  return program
}

const tooMany = /^(too many arguments for '[\w-]+')\. Expected (\d+) arguments? but got (\d+)\.$/

/** The text of an error of commander, on one line and without its prefix. */
export function usageText(message: string): string {
  return (
    message
      .replace(/^error: /, '')
      .replaceAll('\n', ' ')
      // The likely extra argument is the name of a lab.
      .replace(tooMany, "$1: expected $2, got $3; a lab is chosen with '--name <lab>'")
  )
}

function packageVersion(): string {
  const path = new URL('../../package.json', import.meta.url)
  return String(JSON.parse(readFileSync(path, 'utf8')).version)
}

function addUp(program: Command, choose: Choose): void {
  verb(program, 'up <kind>', `start a cluster; kind: ${kindNames.join(', ')}`)
    .option('--nodes <count>', 'number of nodes; default 3, with an arbitrator 2')
    .option('--detect <duration>', 'time after which servers detect a silent peer, such as 1s')
    .option('--vhost <name...>', 'rabbitmq: virtual hosts in addition to /')
    .option('--arbitrator', 'galera: add a member that votes and has no data')
    .option('--base-port <port>', 'the first of the lab’s ports')
    .option('--root <folder>', 'run the servers of another system, whose root this is; default $HACTL_ROOT')
    .option('--timeout <duration>', 'limit of the start', '3m')
    .action((kind: string, flags: UpFlags) =>
      choose('up', (context) => {
        const { name, root, timeout } = flags
        const timeoutMs = timeout === undefined ? undefined : parseDuration(timeout, '--timeout')
        return up(
          topologyOf(kind, flags),
          {
            ...(name === undefined ? {} : { name }),
            ...(root === undefined ? {} : { root }),
            ...(timeoutMs === undefined ? {} : { timeoutMs }),
          },
          context,
        )
      }),
    )
}

function addFaults(program: Command, choose: Choose): void {
  for (const action of [...processFaults, ...serverFaults]) {
    verb(program, `${action} <node>`, faultDescriptions[action])
      .option('--for <duration>', 'time after which the fault heals', '5m')
      .action((node, flags) => choose('fault', (context) => fault(action, node, flags, context)))
  }
  verb(program, 'partition <node>', 'in a sandbox: cut a node off from its peers, its clients or both')
    .addOption(
      new Option('--from <whom>', 'the side to cut the node off from')
        .choices(partitionSides)
        .default('peers'),
    )
    .option('--for <duration>', 'time after which the fault heals', '5m')
    .action((node, flags) =>
      choose('fault', (context) => fault(partitionFrom[flags.from as PartitionSide], node, flags, context)),
    )
  verb(program, 'recover [kind]', 'galera: recover a stopped cluster from its most advanced node')
    .option('--assume-lost <node...>', 'nodes whose data are given up')
    .option('--yes', 'do not ask for confirmation')
    .action((kind, flags) => choose('back', (context) => recover(kind, flags, context)))
  verb(program, 'resume <node>', 'heal a node now, whatever its fault').action((node, flags) =>
    choose('back', (context) => heal('resume', node, flags, context)),
  )
  verb(program, 'restart <node>', 'stop a node gracefully and start it again').action((node, flags) =>
    choose('back', (context) => heal('restart', node, flags, context)),
  )
}

function verb(program: Command, usage: string, description: string): Command {
  return program
    .command(usage)
    .description(description)
    .option('--name <lab>', 'name of the lab')
    .option('--json', 'print one JSON document')
}
