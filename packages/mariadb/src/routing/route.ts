import {
  type Endpoint,
  formatEndpoint,
  type HaError,
  type HostLoad,
  isHaError,
  type Member,
  type Routing,
  type View,
} from '@ha/core'
import type { MariadbStatus } from '../driver/server-status.ts'
import { MariadbError } from '../errors.ts'
import type { Mode, ResolvedOptions, Role } from '../options/resolved-options.ts'
import { clusterInUse, type IneligibleReason, readEligibility, writeEligibility } from './eligibility.ts'

/** The target of a call: the server that takes writes, a replica, or any readable server. */
export type RouteTarget = (typeof routeTargets)[number]

/** All targets. */
export const routeTargets = ['primary', 'replica', 'any'] as const

/** A request for a route. */
export interface RouteRequest {
  readonly target: RouteTarget
  /** Servers, as `host:port`, that failed this call before: they are tried last. */
  readonly avoid: ReadonlySet<string>
  /** Whether another server may be used instead of the single writer. */
  readonly allowOtherWriters: boolean
}

/** The options of routing: fixed for the life of a client. */
export interface RouteRules extends Pick<ResolvedOptions, 'mode' | 'galera' | 'donor' | 'maxLagMs'> {
  readonly mode: Mode
  roleOf(endpoint: Endpoint): Role
}

/** Extracts the routing rules from the options. */
export function routeRules(options: ResolvedOptions): RouteRules {
  const { mode, galera, donor, maxLagMs, hosts } = options
  const roles = new Map(hosts.map((host) => [formatEndpoint(host.endpoint), host.role]))
  return {
    mode,
    galera,
    donor,
    maxLagMs,
    roleOf: (endpoint) => roles.get(formatEndpoint(endpoint)) ?? 'primary',
  }
}

/** The state that a route depends on. */
interface RouteState {
  readonly view: View<MariadbStatus>
  readonly load: (endpoint: Endpoint) => HostLoad
  /** Whether a responding server became eligible only recently. */
  readonly onProbation: (endpoint: Endpoint) => boolean
  /**
   * The current writer, as `host:port`. It keeps its place during probation, until a server earlier in the list has
   * completed its own.
   */
  readonly currentWriter: string | undefined
  readonly random: () => number
}

/** The servers to try, in order, or the reason why there is none. Depends only on mode, role, state and request. */
export function route(rules: RouteRules, request: RouteRequest, state: RouteState): Routing {
  const cluster = rules.galera === 'off' ? undefined : clusterInUse(state.view)
  const candidates = state.view.members.map((member) => assess(rules, request, member, cluster, state))
  const usable = candidates.filter((each): each is UsableCandidate => each.kind === 'usable')
  if (usable.length === 0 || mustAwaitEarlierServer(rules, request, candidates))
    return { kind: 'none', ...noRoute(request, candidates) }
  const sorted = isBalanced(rules, request) ? byLoad(usable, state) : usable
  const endpoints = [...sorted].sort((a, b) => a.tier - b.tier).map(({ member }) => member.endpoint)
  return { kind: 'go', endpoints }
}

// A new client must choose the same writer as running clients: it waits for the first report of all servers that are
// earlier in the list.
function mustAwaitEarlierServer(
  rules: RouteRules,
  request: RouteRequest,
  candidates: readonly Candidate[],
): boolean {
  if (request.target !== 'primary' || isBalanced(rules, request)) return false
  const first = candidates.findIndex(({ kind }) => kind === 'usable')
  return candidates
    .slice(0, first)
    .some(({ member }) => member.health === 'unknown' && mayWrite(rules, member))
}

function mayWrite({ mode, roleOf }: RouteRules, { endpoint }: Member<MariadbStatus>): boolean {
  return mode === 'aurora' || roleOf(endpoint) === 'primary'
}

// Penalties; each outweighs the sum of all lower ones.
const failedInThisCall = 16
const lastResort = 8
const wrongRole = 4
const onProbationPenalty = 2
const suspected = 1

function assess(
  rules: RouteRules,
  request: RouteRequest,
  member: Member<MariadbStatus>,
  cluster: string | undefined,
  state: RouteState,
): Candidate {
  const { health, reading, endpoint } = member
  if (reading === undefined || health === 'down' || health === 'unknown')
    return { kind: 'unanswered', member }
  const writes = request.target === 'primary'
  const eligibility = writes
    ? writeEligibility(reading, rules, cluster)
    : readEligibility(reading, rules, cluster)
  if (eligibility.kind === 'ineligible') return { kind: 'unusable', member, reason: eligibility.reason }
  const role = roleMatch(rules, request, member, reading)
  if (role === 'wrong') return { kind: 'unusable', member, reason: 'wrong-role' }
  const tier =
    (role === 'second' ? wrongRole : 0) +
    (eligibility.kind === 'last-resort' ? lastResort : 0) +
    uncertaintyPenalty(rules, request, member, state) +
    (request.avoid.has(formatEndpoint(endpoint)) ? failedInThisCall : 0)
  return { kind: 'usable', member, tier }
}

// The penalty for a server that was unavailable a short while ago, or that is suspect.
function uncertaintyPenalty(
  rules: RouteRules,
  request: RouteRequest,
  { endpoint, health }: Member<MariadbStatus>,
  { onProbation, currentWriter }: RouteState,
): number {
  const spread = isBalanced(rules, request)
  // One missed probe does not move a single writer; only a change of its health does.
  if (health === 'suspect') return spread ? suspected : 0
  if (health !== 'probation' && !onProbation(endpoint)) return 0
  return !spread && formatEndpoint(endpoint) === currentWriter ? 0 : onProbationPenalty
}

// Whether the listed role matches the target. A listed replica takes no writes, even when it accepts them: whether it
// was promoted or cut off from a live primary cannot be known here.
function roleMatch(
  rules: RouteRules,
  request: RouteRequest,
  { endpoint }: Member<MariadbStatus>,
  reading: MariadbStatus,
): 'first' | 'second' | 'wrong' {
  const role = rules.mode === 'aurora' ? (reading.readOnly ? 'replica' : 'primary') : rules.roleOf(endpoint)
  switch (request.target) {
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

/** Whether a mode distributes calls over the servers; otherwise the first server of the list receives them all. */
export function isBalanced({ mode }: RouteRules, { target }: Pick<RouteRequest, 'target'>): boolean {
  switch (mode) {
    case 'none':
    case 'sequential':
      return target === 'any'
    case 'loadbalance':
      return true
    case 'load-balance-read':
    case 'replication':
    case 'aurora':
      return target !== 'primary'
  }
}

// Least loaded first; equal ones in random order, so that clients do not move in step.
function byLoad(
  usable: readonly UsableCandidate[],
  { load, random }: RouteState,
): readonly UsableCandidate[] {
  return usable
    .map((each) => ({ each, busy: totalLoad(load(each.member.endpoint)), lot: random() }))
    .sort((a, b) => a.busy - b.busy || a.lot - b.lot)
    .map(({ each }) => each)
}

function totalLoad({ inUse, waiting }: HostLoad): number {
  return inUse + waiting
}

/** A server that may be used. A lower tier is preferred. */
interface UsableCandidate {
  readonly kind: 'usable'
  readonly member: Member<MariadbStatus>
  readonly tier: number
}

/** A server and the assessment of whether it may be used. */
type Candidate =
  | UsableCandidate
  | { readonly kind: 'unanswered'; readonly member: Member<MariadbStatus> }
  | {
      readonly kind: 'unusable'
      readonly member: Member<MariadbStatus>
      readonly reason: IneligibleReason | 'wrong-role'
    }

/** Why there is no route, and whether waiting cannot change that. */
function noRoute(
  request: RouteRequest,
  candidates: readonly Candidate[],
): { error: HaError; final: boolean } {
  const said = candidates.map(describeCandidate).join('; ')
  const attempts = candidates.flatMap(({ member }) =>
    member.lastError === undefined
      ? []
      : [{ endpoint: formatEndpoint(member.endpoint), error: member.lastError }],
  )
  const make = (code: MariadbError['code'], message: string, retryable: boolean): HaError =>
    new MariadbError(code, `${message}: ${said}`, { attempts, retryable })
  if (candidates.length > 0 && candidates.every(hasRefusedLogin)) {
    return { error: make('refused', 'every server refused the login', false), final: true }
  }
  if (candidates.some(isUnusableFor('no-galera'))) {
    return {
      error: make('refused', 'the option `galera` is `require`, and a server is not a Galera node', false),
      final: false,
    }
  }
  if (candidates.some(lacksQuorum)) {
    return { error: make('no-primary-component', 'no Galera node has a quorum', true), final: false }
  }
  if (request.target === 'primary' && candidates.some(rejectsWrites)) {
    return { error: make('read-only', 'no server takes writes', true), final: false }
  }
  return { error: make('unreachable', 'no server can be used', true), final: false }
}

function hasRefusedLogin({ member }: Candidate): boolean {
  return member.health === 'down' && isHaError(member.lastError) && member.lastError.code === 'refused'
}

function isUnusableFor(wanted: string): (candidate: Candidate) => boolean {
  return (candidate) => candidate.kind === 'unusable' && candidate.reason === wanted
}

function lacksQuorum(candidate: Candidate): boolean {
  return (
    isUnusableFor('no-quorum')(candidate) ||
    isUnusableFor('not-synced')(candidate) ||
    isUnusableFor('drained')(candidate)
  )
}

function rejectsWrites(candidate: Candidate): boolean {
  return isUnusableFor('read-only')(candidate) || isUnusableFor('wrong-role')(candidate)
}

function describeCandidate(candidate: Candidate): string {
  const { endpoint, health, lastError } = candidate.member
  const name = formatEndpoint(endpoint)
  switch (candidate.kind) {
    case 'usable':
      return `${name} can be used`
    case 'unusable':
      return `${name} ${reasonTexts[candidate.reason]}`
    case 'unanswered':
      if (lastError === undefined) return `${name} has not answered yet`
      if (health === 'unknown') return `${name} has not answered yet: ${lastError.message}`
      return health === 'up'
        ? `${name} answers, and its status cannot be read: ${lastError.message}`
        : `${name} is ${health}: ${lastError.message}`
  }
}

const reasonTexts: Readonly<Record<Extract<Candidate, { kind: 'unusable' }>['reason'], string>> = {
  'no-quorum': 'has lost its quorum',
  'not-synced': 'is not synchronised',
  drained: 'rejects queries',
  'read-only': 'is read-only',
  'other-cluster': 'belongs to another cluster',
  lags: 'lags too far behind',
  'not-replicating': 'does not replicate',
  'no-galera': 'is not a Galera node',
  'wrong-role': 'is listed as a replica',
}
