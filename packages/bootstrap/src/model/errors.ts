import { type CoreCode, HaError, type HaErrorDetails } from '@ha/core'
import { didYouMean } from '@ha/core/driver'

/** The error codes that labs add to those of core, with their meaning and the action that a reader can take. */
export const bootstrapCodes = {
  usage: {
    meaning: 'A verb, flag or value on the command line is not one that hactl knows.',
    action: 'Use the nearest valid word that the message suggests, or run `hactl help`.',
  },
  'platform-unfit': {
    meaning:
      'This machine cannot run a lab or a sandbox: no Linux with /proc, no namespaces, or a `localhost` that is not 127.0.0.1.',
    action: 'Run `hactl doctor`; it names each thing that is missing.',
  },
  'package-missing': {
    meaning: 'The programs of the server are not installed where hactl looks for them.',
    action: 'Run the install command in the message, or `hactl doctor --fix`.',
  },
  'install-failed': {
    meaning: 'The package manager did not install the servers.',
    action: 'Read the last lines of its output in the message, and run the command manually.',
  },
  'memory-short': {
    meaning: 'Less memory is available than the nodes need.',
    action: 'End other programs, or start fewer nodes: `hactl up rabbitmq --nodes 1`.',
  },
  'disk-short': {
    meaning: 'Less disk space is free than the data of the nodes need.',
    action: 'Remove other files, set HACTL_HOME to a folder on another disk, or start fewer nodes.',
  },
  'port-taken': {
    meaning: 'A port that belongs to the lab is in use by another process.',
    action: 'End the process that the message names, or choose other ports with --base-port.',
  },
  'secret-mode': {
    meaning: 'Other users can read or write a secret file of the lab, which the server would reject.',
    action: 'Run the chmod command in the message.',
  },
  'name-taken': {
    meaning: 'Two nodes of one lab have the same name.',
    action: 'Give each node a unique name.',
  },
  'lab-exists': {
    meaning: 'A lab of that name already exists.',
    action: '`hactl status` shows it; `hactl down` ends it; `--name` starts another one beside it.',
  },
  'lab-unknown': {
    meaning: 'No lab of that name exists, or no lab at all.',
    action: '`hactl status` lists all labs; `hactl up rabbitmq` starts one.',
  },
  'lab-ambiguous': {
    meaning: 'Several labs exist, and the command applies to one.',
    action: 'Choose one with --name; `hactl down --all` ends all of them.',
  },
  'lab-failed': {
    meaning: 'The lab failed to start, and all of its processes were ended.',
    action: 'Read the logs that the message names, then run `hactl down` to remove the rest.',
  },
  'node-unknown': {
    meaning: 'The lab has no node of that name.',
    action: 'Use one of the names in the message.',
  },
  'node-failed': {
    meaning: 'The process of a node ended during its start.',
    action: 'Read the log lines in the message; the message names the file with the whole log.',
  },
  'not-agreed': {
    meaning: 'The members of the cluster did not agree on the membership in time.',
    action: 'The message names the member that disagrees; `hactl logs NODE` shows why.',
  },
  'fault-refused': {
    meaning:
      'The fault is not possible: the node has another fault or is down, its kind does not support the fault, or a partition needs a sandbox.',
    action:
      'Follow the message: first `hactl resume NODE`, choose another fault, or run the command inside `hactl sandbox`.',
  },
  'recovery-refused': {
    meaning: 'A recovery of the cluster would be a guess that may lose data or split the cluster in two.',
    action:
      'Read the evidence that `hactl recover` shows; start the node that it names, or give up its data with --assume-lost.',
  },
  'supervisor-lost': {
    meaning: 'The supervisor of the lab could not be reached or started again.',
    action: 'Read supervisor.log in the folder of the lab, then run `hactl down`.',
  },
  'tool-failed': {
    meaning: 'A command of the server package ended with an error.',
    action: 'Read its output in the message.',
  },
} as const

/** An error code of {@link bootstrapCodes} or of core. */
export type BootstrapCode = keyof typeof bootstrapCodes | CoreCode

/** Creates an {@link HaError} with one of these codes. */
export function labError(
  code: BootstrapCode,
  message: string,
  details: HaErrorDetails = {},
): HaError<BootstrapCode> {
  return new HaError<BootstrapCode>(code, message, details)
}

/** The error for a node name that the lab does not have; it lists the names that exist. */
export function unknownNode(
  plan: { readonly lab: string; readonly nodes: readonly { readonly name: string }[] },
  name: string,
): Error {
  const names = plan.nodes.map((node) => node.name)
  return labError(
    'node-unknown',
    `${plan.lab} has no node '${name}', only ${names.join(', ')}${didYouMean(name, names)}`,
  )
}
