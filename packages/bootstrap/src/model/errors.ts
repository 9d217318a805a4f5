import { type CoreCode, HaError, type HaErrorDetails } from '@ha/core'
import { didYouMean } from '@ha/core/driver'

/** The codes that labs add to the core ones: what each means, and what the reader can do about it. */
export const bootstrapCodes = {
  usage: {
    meaning: 'A verb, flag or value on the command line is not one that hactl knows.',
    action: 'Type the nearest right word that the message offers, or `hactl help`.',
  },
  'platform-unfit': {
    meaning:
      'This machine cannot carry a lab or a sandbox: no Linux with /proc, no namespaces, or a `localhost` that is not 127.0.0.1.',
    action: 'Run `hactl doctor`; it names each thing that is missing.',
  },
  'package-missing': {
    meaning: 'The programs of the server are not installed where hactl looks.',
    action: 'Type the install command that the message holds, or `hactl doctor --fix`.',
  },
  'install-failed': {
    meaning: 'The package manager did not install the servers.',
    action: 'Read the last lines of its output in the message, and run the command by hand.',
  },
  'memory-short': {
    meaning: 'Less memory is available than the nodes need.',
    action: 'End other programs, or start fewer nodes: `hactl up rabbitmq --nodes 1`.',
  },
  'port-taken': {
    meaning: 'A port that belongs to the lab is in use by another process.',
    action: 'End the process that the message names, or choose other ports with --base-port.',
  },
  'secret-mode': {
    meaning: 'A secret file of the lab can be read or written by others, so the server would refuse it.',
    action: 'Type the chmod command that the message holds.',
  },
  'name-taken': {
    meaning: 'Two nodes of one lab carry the same name.',
    action: 'Give each node a name of its own.',
  },
  'lab-exists': {
    meaning: 'A lab of that name is already there.',
    action: '`hactl status` shows it; `hactl down` ends it; `--name` makes another one beside it.',
  },
  'lab-unknown': {
    meaning: 'There is no lab of that name, or no lab at all.',
    action: '`hactl status` lists the labs that are there; `hactl up rabbitmq` starts one.',
  },
  'lab-ambiguous': {
    meaning: 'Several labs are there and the command fits more than one.',
    action: 'Say which one with --name; `hactl down --all` ends all of them.',
  },
  'lab-failed': {
    meaning: 'The lab did not come up, and everything it had started was ended.',
    action: 'Read its logs where the message points, then `hactl down` to remove what is left.',
  },
  'node-unknown': {
    meaning: 'The lab has no node of that name.',
    action: 'Use one of the names that the message lists.',
  },
  'node-failed': {
    meaning: 'The process of a node ended while it should have been starting.',
    action: 'Read the log lines in the message; the whole log is at the path beside them.',
  },
  'not-agreed': {
    meaning: 'The members of the cluster did not come to one membership in time.',
    action: 'The message names the member that disagrees; `hactl logs NODE` shows why.',
  },
  'fault-refused': {
    meaning:
      'The fault does not fit: the node is down already, its kind does not know the fault, or nodes have no networks to be cut.',
    action:
      'Do what the message says: `hactl resume NODE` first, another fault, or the same inside `hactl sandbox`.',
  },
  'recovery-refused': {
    meaning: 'Bringing the cluster back would be a guess that may lose data, or make two clusters of one.',
    action:
      'Read the evidence that `hactl recover` shows; start the node that it names, or give it up by name.',
  },
  'supervisor-lost': {
    meaning: 'The process that looks after the lab could not be reached or brought back.',
    action: 'Read supervisor.log in the folder of the lab, then `hactl down`.',
  },
  'tool-failed': {
    meaning: 'A command of the server package ended with an error.',
    action: 'Read its output in the message.',
  },
} as const

/** A code of {@link bootstrapCodes} or of core. */
export type BootstrapCode = keyof typeof bootstrapCodes | CoreCode

/** An {@link HaError} whose code is one that labs know. */
export function labError(
  code: BootstrapCode,
  message: string,
  details: HaErrorDetails = {},
): HaError<BootstrapCode> {
  return new HaError<BootstrapCode>(code, message, details)
}

/** What is said about a node that the lab does not have. */
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
