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
  kill: 'end a node with SIGKILL; healed by starting it again',
  stop: 'stop a node gracefully; healed by starting it again',
  pause: 'freeze a node with SIGSTOP: it accepts connections and says nothing',
  isolate: 'galera: cut a node off from its group; it has no majority then',
  desync: 'galera: take a node out of flow control, as a donor is',
  'reject-queries': 'galera: let a node refuse every query',
  'read-only': 'galera, and the primary of a replication: let a node refuse writes',
  'stop-applier': 'replication: let a replica apply nothing of what it fetches',
}

type Choose = (kind: InterruptKind, verb: Verb) => void

/** The command line of hactl. What was typed is handed to `take` as a verb. */
export function hactlProgram(take: (verb: Verb) => void): Command {
  const choose: Choose = (kind, verb) => take(explainInterrupt(kind, verb))
  const program = new Command('hactl')
    .description('Starts, breaks, heals and ends real clusters on this machine.')
    .helpCommand(true)
    // What comes after the name of a program that hactl shall run belongs to that program.
    .enablePositionalOptions()
  addUp(program, choose)
  addFaults(program, choose)
  verb(program, 'status', 'show every node and whether all members agree').action((flags) =>
    choose('look', (context) => status(flags, context)),
  )
  verb(program, 'logs <node>', 'print the end of a node’s log')
    .option('--follow', 'go on printing what is added')
    .action((node, flags) => choose('look', (context) => logs(node, flags, context)))
  verb(program, 'env', 'print the address for applications: eval "$(hactl env)"').action((flags) =>
    choose('look', () => env(flags)),
  )
  verb(program, 'down', 'end a lab: every process that it started, and its folder')
    .option('--all', 'end all labs')
    .action((flags) => choose('down', (context) => down(flags, context)))
  program
    .command('doctor [kind...]')
    .description('look for what a lab would stumble over')
    .option('--fix', 'install missing servers where this user may')
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

function addUp(program: Command, choose: Choose): void {
  verb(program, 'up <kind>', `start a cluster; kind: ${kindNames.join(', ')}`)
    .option('--nodes <count>', 'how many nodes; default 3, with an arbitrator 2')
    .option('--detect <duration>', 'how soon the servers notice a silent one, as 1s')
    .option('--vhost <name...>', 'rabbitmq: virtual hosts beside /')
    .option('--arbitrator', 'galera: one more member, which votes and has no data')
    .option('--base-port <port>', 'the first of the lab’s ports')
    .option('--timeout <duration>', 'how long it may take', '3m')
    .action((kind: string, flags: UpFlags) =>
      choose('up', (context) => {
        const { name, timeout } = flags
        const timeoutMs = timeout === undefined ? undefined : parseDuration(timeout, '--timeout')
        return up(
          topologyOf(kind, flags),
          { ...(name === undefined ? {} : { name }), ...(timeoutMs === undefined ? {} : { timeoutMs }) },
          context,
        )
      }),
    )
}

function addFaults(program: Command, choose: Choose): void {
  for (const action of [...processFaults, ...serverFaults]) {
    verb(program, `${action} <node>`, faultDescriptions[action])
      .option('--for <duration>', 'when it heals itself', '5m')
      .action((node, flags) => choose('fault', (context) => fault(action, node, flags, context)))
  }
  verb(program, 'partition <node>', 'in a sandbox: cut a node from its peers, its clients or all')
    .addOption(new Option('--from <whom>', 'from whom').choices(partitionSides).default('peers'))
    .option('--for <duration>', 'when it heals itself', '5m')
    .action((node, flags) =>
      choose('fault', (context) => fault(partitionFrom[flags.from as PartitionSide], node, flags, context)),
    )
  verb(program, 'recover [kind]', 'galera: bring a stopped cluster back from the node that is farthest')
    .option('--assume-lost <node...>', 'nodes whose data are given up')
    .option('--yes', 'do not ask')
    .action((kind, flags) => choose('back', (context) => recover(kind, flags, context)))
  verb(program, 'resume <node>', 'heal a node now, whatever was done to it').action((node, flags) =>
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
    .option('--name <lab>', 'which lab')
    .option('--json', 'print one JSON document')
}
