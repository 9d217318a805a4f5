import { didYouMean } from '@ha/core/driver'
import { labError } from '../model/codes.ts'
import { parseDuration } from '../model/duration.ts'
import { type KindName, kindNames } from '../model/plan.ts'
import type { Topology } from '../model/topology.ts'

/** What `hactl up` was typed with. */
export interface UpFlags {
  readonly nodes?: string
  readonly detect?: string
  readonly name?: string
  readonly vhost?: readonly string[]
  readonly arbitrator?: boolean
  readonly basePort?: string
  readonly timeout?: string
}

/** The kind of that name; of another word it says the nearest. */
export function kindOf(word: string): KindName {
  const kind = kindNames.find((name) => name === word)
  if (kind !== undefined) return kind
  const hint = didYouMean(word, kindNames)
  throw labError('usage', `there is no kind '${word}', only ${kindNames.join(', ')}${hint}`)
}

/** The topology that the flags describe. A flag of another kind is an error: nothing is left out in silence. */
export function topologyOf(word: string, flags: UpFlags): Topology {
  const kind = kindOf(word)
  refuseFlagsOfOtherKinds(kind, flags)
  const common = {
    ...(flags.nodes === undefined ? {} : { nodes: wholeNumber(flags.nodes, '--nodes') }),
    ...(flags.detect === undefined ? {} : { detectMs: parseDuration(flags.detect, '--detect') }),
    ...(flags.basePort === undefined ? {} : { basePort: wholeNumber(flags.basePort, '--base-port') }),
  }
  switch (kind) {
    case 'rabbitmq':
      return { kind, ...common, ...(flags.vhost === undefined ? {} : { vhosts: flags.vhost }) }
    case 'galera':
      return { kind, ...common, arbitrator: flags.arbitrator ?? false }
    case 'replication':
    case 'zookeeper':
      return { kind, ...common }
  }
}

function refuseFlagsOfOtherKinds(kind: KindName, flags: UpFlags): void {
  const foreign = [
    { flag: '--vhost', of: 'rabbitmq', isGiven: flags.vhost !== undefined },
    { flag: '--arbitrator', of: 'galera', isGiven: flags.arbitrator === true },
  ].find(({ of, isGiven }) => isGiven && of !== kind)
  if (foreign === undefined) return
  throw labError('usage', `${foreign.flag} is for ${foreign.of}, and this is ${kind}; leave it out`)
}

function wholeNumber(text: string, flag: string): number {
  if (!/^\d{1,5}$/.test(text)) throw labError('usage', `${flag}: '${text}' is not a whole number`)
  return Number(text)
}
