import { type Endpoint, formatEndpoint, type HostLoad, type Member, type Routing, type View } from '@ha/core'
import type { Reading } from '../driver/reading.ts'
import { clusterInUse } from './cluster.ts'
import { fitToRead, fitToWrite } from './fitness.ts'
import type { Judged, Usable } from './judged.ts'
import { refusal } from './refusal.ts'
import type { RouteRules } from './rules.ts'
import type { Wish } from './wish.ts'

/** What is known at the moment of choosing. */
export interface Situation {
  readonly view: View<Reading>
  readonly load: (endpoint: Endpoint) => HostLoad
  /** Whether a server that answers has become fit for use a short while ago. */
  readonly onProbation: (endpoint: Endpoint) => boolean
  /**
   * Who takes the writes, as `host:port`: it stays although it has to prove itself again, until one that stands before
   * it has done so.
   */
  readonly incumbent: string | undefined
  readonly random: () => number
}

/** The servers to try, in order, or why there is none: mode x role x state x what was asked, and nothing else. */
export function route(rules: RouteRules, wish: Wish, situation: Situation): Routing {
  const cluster = rules.galera === 'off' ? undefined : clusterInUse(situation.view)
  const judged = situation.view.members.map((member) => judge(rules, wish, member, cluster, situation))
  const usable = judged.filter((each): each is Usable => each.kind === 'usable')
  if (usable.length === 0 || isTooEarly(rules, wish, judged))
    return { kind: 'none', ...refusal(wish, judged) }
  const sorted = isBalanced(rules, wish) ? spread(usable, situation) : usable
  const endpoints = [...sorted].sort((a, b) => a.tier - b.tier).map(({ member }) => member.endpoint)
  return { kind: 'go', endpoints }
}

// A client that begins writes to the same server as those that run already: it first hears of all that stand before it.
function isTooEarly(rules: RouteRules, wish: Wish, judged: readonly Judged[]): boolean {
  if (wish.asked !== 'primary' || isBalanced(rules, wish)) return false
  const first = judged.findIndex(({ kind }) => kind === 'usable')
  return judged.slice(0, first).some(({ member }) => member.health === 'unknown' && mayWrite(rules, member))
}

function mayWrite({ mode, roleOf }: RouteRules, { endpoint }: Member<Reading>): boolean {
  return mode === 'aurora' || roleOf(endpoint) === 'primary'
}

// Weights of what counts against a server; each outweighs all below it together.
const failedThisCall = 16
const lastResort = 8
const wrongRole = 4
const probation = 2
const suspected = 1

function judge(
  rules: RouteRules,
  wish: Wish,
  member: Member<Reading>,
  cluster: string | undefined,
  situation: Situation,
): Judged {
  const { health, reading, endpoint } = member
  if (reading === undefined || health === 'down' || health === 'unknown')
    return { kind: 'unanswered', member }
  const writes = wish.asked === 'primary'
  const fitness = writes ? fitToWrite(reading, rules, cluster) : fitToRead(reading, rules, cluster)
  if (fitness.kind === 'unfit') return { kind: 'unusable', member, because: fitness.because }
  const role = roleFit(rules, wish, member, reading)
  if (role === 'wrong') return { kind: 'unusable', member, because: 'wrong-role' }
  const tier =
    (role === 'second' ? wrongRole : 0) +
    (fitness.kind === 'last-resort' ? lastResort : 0) +
    doubts(rules, wish, member, situation) +
    (wish.avoid.has(formatEndpoint(endpoint)) ? failedThisCall : 0)
  return { kind: 'usable', member, tier }
}

// What stands against a server that was away a short while ago, or owes an answer.
function doubts(
  rules: RouteRules,
  wish: Wish,
  { endpoint, health }: Member<Reading>,
  { onProbation, incumbent }: Situation,
): number {
  const spread = isBalanced(rules, wish)
  // One missed reading does not move a single writer: only a verdict does.
  if (health === 'suspect') return spread ? suspected : 0
  if (health !== 'probation' && !onProbation(endpoint)) return 0
  return !spread && formatEndpoint(endpoint) === incumbent ? 0 : probation
}

// Whether the listed role suits. A listed replica takes no writes even when it could: whether it was promoted, or
// cut off from a primary that goes on elsewhere, nobody can tell from here.
function roleFit(
  rules: RouteRules,
  wish: Wish,
  { endpoint }: Member<Reading>,
  reading: Reading,
): 'first' | 'second' | 'wrong' {
  const role = rules.mode === 'aurora' ? (reading.readOnly ? 'replica' : 'primary') : rules.roleOf(endpoint)
  switch (wish.asked) {
    case 'any':
      return 'first'
    case 'replica':
      return role === 'replica' || !hasReplicaRole(rules) ? 'first' : 'second'
    case 'primary':
      return role === 'primary' ? 'first' : 'wrong'
  }
}

function hasReplicaRole({ mode }: RouteRules): boolean {
  return mode === 'replication' || mode === 'load-balance-read' || mode === 'aurora'
}

/** Whether calls are spread over the servers in a mode; else the first of the list has them all. */
export function isBalanced({ mode }: RouteRules, { asked }: Pick<Wish, 'asked'>): boolean {
  switch (mode) {
    case 'none':
    case 'sequential':
      return asked === 'any'
    case 'loadbalance':
      return true
    case 'load-balance-read':
    case 'replication':
    case 'aurora':
      return asked !== 'primary'
  }
}

// The least busy first; equals in a random order, so that clients do not march in step.
function spread(usable: readonly Usable[], { load, random }: Situation): readonly Usable[] {
  return usable
    .map((each) => ({ each, busy: busyness(load(each.member.endpoint)), lot: random() }))
    .sort((a, b) => a.busy - b.busy || a.lot - b.lot)
    .map(({ each }) => each)
}

function busyness({ inUse, waiting }: HostLoad): number {
  return inUse + waiting
}
