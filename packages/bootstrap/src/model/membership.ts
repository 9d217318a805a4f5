/** What a member is to the others, where members are not all alike. */
export type Role = 'leader' | 'follower' | 'standalone' | 'primary' | 'replica' | 'arbitrator'

/** What one member answered when it was asked about the cluster. Names are those that members use. */
export type MemberView =
  | {
      readonly kind: 'answered'
      /** All members it knows, sorted. */
      readonly members: readonly string[]
      /** Those that it holds to be running, sorted. */
      readonly running: readonly string[]
      /** Those with which it knows itself to disagree about the past. */
      readonly apart: readonly string[]
      /** What members of one cluster say alike: who they are, or how far they got. Null where servers have no such word. */
      readonly history: string | null
      readonly role?: Role
    }
  /** It is well and names nobody: the members that name others name it, too. */
  | { readonly kind: 'vouched'; readonly history: string | null; readonly role?: Role }
  /** It answers, and something is missing. */
  | { readonly kind: 'starting'; readonly because: string; readonly role?: Role }
  | { readonly kind: 'silent'; readonly because: string }

/** Whether the members tell one story. */
export type Agreement =
  | { readonly kind: 'agreed'; readonly members: readonly string[] }
  | { readonly kind: 'disagreed'; readonly member: string; readonly because: string }

/** A member and what it answered. */
export interface MemberAnswer {
  readonly member: string
  readonly view: MemberView
}

/** Agreed when every member that can be asked names all members, holds them to be running, and all tell one history. */
export function judgeAgreement(answers: readonly MemberAnswer[]): Agreement {
  const members = answers.map((answer) => answer.member).sort()
  const history = answers.map(({ view }) => historyOf(view)).find((told) => told !== null) ?? null
  for (const { member, view } of answers) {
    const because = disagreementIn(view, members) ?? historyDisagreement(view, history)
    if (because !== undefined) return { kind: 'disagreed', member, because }
  }
  return { kind: 'agreed', members }
}

/** True when the member runs beside the others and knows that their histories parted: only a restart joins them. */
export function knowsPartition(view: MemberView): boolean {
  return view.kind === 'answered' && view.apart.length > 0
}

/**
 * The members whose story counts when several are told: the largest part that holds together, and of equals the one
 * with the first member. A partition may be known on all of its sides or on one; only those outside of this part must
 * yield.
 */
export function largestPart(answers: readonly MemberAnswer[]): readonly string[] {
  let trusted: readonly string[] = []
  for (const { member } of answers) {
    const part = answers.filter((other) => seeEachOther(member, other.member, answers))
    if (part.length > trusted.length) trusted = part.map((other) => other.member)
  }
  return trusted
}

// A member that does not answer holds to nobody.
function seeEachOther(a: string, b: string, answers: readonly MemberAnswer[]): boolean {
  return !isPartitionedFrom(a, b, answers) && !isPartitionedFrom(b, a, answers)
}

function isPartitionedFrom(member: string, other: string, answers: readonly MemberAnswer[]): boolean {
  const view = answers.find((answer) => answer.member === member)?.view
  return view?.kind !== 'answered' || view.apart.includes(other)
}

/** What the member is to the others; undefined when it does not say. */
export function roleOf(view: MemberView): Role | undefined {
  return view.kind === 'silent' ? undefined : view.role
}

function disagreementIn(view: MemberView, members: readonly string[]): string | undefined {
  if (view.kind === 'vouched') return undefined
  if (view.kind !== 'answered') return view.because
  if (!equalLists(view.members, members)) return `it lists the members ${list(view.members)}`
  if (!equalLists(view.running, members)) return `it sees only ${list(view.running)} running`
  if (view.apart.length > 0) return `it is partitioned from ${list(view.apart)}`
  return undefined
}

function historyDisagreement(view: MemberView, history: string | null): string | undefined {
  const told = historyOf(view)
  if (told === null || told === history) return undefined
  return `its history is '${told}', that of the others '${history}'`
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
