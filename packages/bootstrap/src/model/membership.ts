/** The role of a member, in clusters whose members differ. */
export type MemberRole = 'leader' | 'follower' | 'standalone' | 'primary' | 'replica' | 'arbitrator'

/** What one member reported about the cluster. Names are those that the members use among themselves. */
export type MemberView =
  | {
      readonly kind: 'answered'
      /** All members that it knows, sorted. */
      readonly members: readonly string[]
      /** The members that it considers running, sorted. */
      readonly running: readonly string[]
      /** The members from which it knows itself to be partitioned. */
      readonly apart: readonly string[]
      /** An identity or a position that all members of one cluster share; null for servers that report none. */
      readonly history: string | null
      readonly role?: MemberRole
      /** The resources, `disk` or `memory`, whose shortage keeps the member from taking messages; absent without one. */
      readonly alarms?: readonly string[]
    }
  /** It is healthy but does not list the others; the members that list the others list this one, too. */
  | { readonly kind: 'vouched'; readonly history: string | null; readonly role?: MemberRole }
  /** It answers, but is not fully in service. */
  | { readonly kind: 'starting'; readonly because: string; readonly role?: MemberRole }
  | { readonly kind: 'silent'; readonly because: string }

/** Whether all members report the same membership. */
export type MembershipAgreement =
  | { readonly kind: 'agreed'; readonly members: readonly string[] }
  | { readonly kind: 'disagreed'; readonly member: string; readonly because: string }

/** A member and what it reported. */
export interface MemberAnswer {
  readonly member: string
  readonly view: MemberView
}

/**
 * The members agree when each of them that can be asked lists all members, considers all of them running, and reports
 * the same history.
 */
export function assessAgreement(answers: readonly MemberAnswer[]): MembershipAgreement {
  const members = answers.map((answer) => answer.member).sort()
  const history = answers.map(({ view }) => historyOf(view)).find((reported) => reported !== null) ?? null
  for (const { member, view } of answers) {
    const because = disagreementIn(view, members) ?? historyDisagreement(view, history)
    if (because !== undefined) return { kind: 'disagreed', member, because }
  }
  return { kind: 'agreed', members }
}

/**
 * True when the member runs beside the others and knows that it is partitioned from them; only a restart rejoins it.
 */
export function reportsPartition(view: MemberView): boolean {
  return view.kind === 'answered' && view.apart.length > 0
}

/**
 * The largest set of members that are not partitioned from each other; of equal sets the one with the first member. A
 * partition may be reported by both of its sides or by one; the members outside of this set must be repaired.
 */
export function largestPartition(answers: readonly MemberAnswer[]): readonly string[] {
  let trusted: readonly string[] = []
  for (const { member } of answers) {
    const part = answers.filter((other) => seeEachOther(member, other.member, answers))
    if (part.length > trusted.length) trusted = part.map((other) => other.member)
  }
  return trusted
}

// A member that does not answer belongs to no set.
function seeEachOther(a: string, b: string, answers: readonly MemberAnswer[]): boolean {
  return !isPartitionedFrom(a, b, answers) && !isPartitionedFrom(b, a, answers)
}

function isPartitionedFrom(member: string, other: string, answers: readonly MemberAnswer[]): boolean {
  const view = answers.find((answer) => answer.member === member)?.view
  return view?.kind !== 'answered' || view.apart.includes(other)
}

/** The role of the member; undefined when it does not report one. */
export function roleOf(view: MemberView): MemberRole | undefined {
  return view.kind === 'silent' ? undefined : view.role
}

function disagreementIn(view: MemberView, members: readonly string[]): string | undefined {
  if (view.kind === 'vouched') return undefined
  if (view.kind !== 'answered') return view.because
  if (!equalLists(view.members, members)) return `it lists the members ${list(view.members)}`
  if (!equalLists(view.running, members)) return `it sees only ${list(view.running)} running`
  if (view.apart.length > 0) return `it is partitioned from ${list(view.apart)}`
  return alarmOf(view.alarms ?? [])
}

function alarmOf(alarms: readonly string[]): string | undefined {
  if (alarms.length === 0) return undefined
  return `it takes no messages: little ${alarms.join(' and ')} is left (resource alarm)`
}

function historyDisagreement(view: MemberView, history: string | null): string | undefined {
  const reported = historyOf(view)
  if (reported === null || reported === history) return undefined
  return `its history is '${reported}', that of the others '${history}'`
}

function historyOf(view: MemberView): string | null {
  return view.kind === 'answered' || view.kind === 'vouched' ? view.history : null
}

function equalLists(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i])
}

function list(names: readonly string[]): string {
  return `[${names.join(' ')}]`
}
