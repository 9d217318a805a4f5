import { didYouMean } from '@ha/core'
import { Command } from 'commander'
import type { FaultAction } from '../lab/events.ts'
import { labError } from '../model/codes.ts'
import { parseDuration } from '../model/duration.ts'
import type { RabbitTopology } from '../model/topology.ts'
import type { Answer, Context } from './context.ts'
import { afterInterrupt, type Interrupted } from './interrupts.ts'
import { logs } from './logs.ts'
import { bringBack, down, env, examine, fault, status, up } from './verbs.ts'

/** A verb with its arguments filled in, ready to run. */
export type Verb = (context: Context) => Promise<Answer>

interface UpFlags {
  readonly nodes: string
  readonly detect?: string
  readonly name?: string
  readonly vhost?: readonly string[]
  readonly basePort?: string
  readonly timeout?: string
}

const faultWords: Readonly<Record<FaultAction, string>> = {
  kill: 'end a node with SIGKILL; healed by starting it again',
  stop: 'stop a node gracefully; healed by starting it again',
  pause: 'freeze a node with SIGSTOP: it accepts connections and says nothing',
}

type Choose = (kind: Interrupted, verb: Verb) => void

/** The command line of hactl. What was typed is handed to `take` as a verb. */
export function hactlProgram(take: (verb: Verb) => void): Command {
  const choose: Choose = (kind, verb) => take(afterInterrupt(kind, verb))
  const program = new Command('hactl')
    .description('Starts, breaks, heals and ends real clusters on this machine.')
    .helpCommand(true)
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
    .command('doctor')
    .description('look for what a lab would stumble over')
    .option('--fix', 'install missing servers where this user may')
    .option('--json', 'print one JSON document')
    .action((flags) => choose(flags.fix === true ? 'fix' : 'look', (context) => examine(flags, context)))
  return program
}

function addUp(program: Command, choose: Choose): void {
  verb(program, 'up <kind>', 'start a cluster; kind: rabbitmq')
    .option('--nodes <count>', 'how many nodes', '3')
    .option('--detect <duration>', 'how often the servers tick for signs of life, as 1s')
    .option('--vhost <name...>', 'virtual hosts beside /')
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
  for (const action of ['kill', 'stop', 'pause'] as const) {
    verb(program, `${action} <node>`, faultWords[action])
      .option('--for <duration>', 'when it heals itself', '5m')
      .action((node, flags) => choose('fault', (context) => fault(action, node, flags, context)))
  }
  verb(program, 'resume <node>', 'heal a node now, whatever was done to it').action((node, flags) =>
    choose('back', (context) => bringBack('resume', node, flags, context)),
  )
  verb(program, 'restart <node>', 'stop a node gracefully and start it again').action((node, flags) =>
    choose('back', (context) => bringBack('restart', node, flags, context)),
  )
}

function verb(program: Command, usage: string, description: string): Command {
  return program
    .command(usage)
    .description(description)
    .option('--name <lab>', 'which lab')
    .option('--json', 'print one JSON document')
}

function topologyOf(kind: string, flags: UpFlags): RabbitTopology {
  if (kind !== 'rabbitmq') {
    const hint = didYouMean(kind, ['rabbitmq'])
    throw labError('usage', `up: there is no kind '${kind}', only rabbitmq${hint}`)
  }
  return {
    kind,
    nodes: wholeNumber(flags.nodes, '--nodes'),
    ...(flags.detect === undefined ? {} : { detectMs: parseDuration(flags.detect, '--detect') }),
    ...(flags.vhost === undefined ? {} : { vhosts: flags.vhost }),
    ...(flags.basePort === undefined ? {} : { basePort: wholeNumber(flags.basePort, '--base-port') }),
  }
}

function wholeNumber(text: string, flag: string): number {
  if (!/^\d{1,5}$/.test(text)) throw labError('usage', `${flag}: '${text}' is not a whole number`)
  return Number(text)
}
