/** What became of one message, as its publisher was told. Times are milliseconds since 1970, of one machine. */
export interface Sent {
  readonly id: number
  readonly sentAtMs: number
  /** Undefined: never settled. */
  readonly settledAtMs: number | undefined
  readonly outcome: 'confirmed' | 'not-done' | 'unknown' | 'unsettled'
  /** What the receipt said; a client without receipts says false. */
  readonly maybeDuplicate: boolean
  /** The error code or text of a rejection. */
  readonly error: string | undefined
}

/** One run of a handler. */
export interface Consumed {
  readonly id: number
  readonly atMs: number
  readonly redelivered: boolean
}

/** Everything one client was told, and everything its consumer saw. */
export interface Ledger {
  readonly sent: readonly Sent[]
  readonly consumed: readonly Consumed[]
}

/** What the ledger proves. */
export interface LedgerVerdict {
  readonly sent: number
  readonly confirmed: number
  /** Confirmed, and never seen by the consumer: the one number that must be 0. */
  readonly lost: number
  readonly notDone: number
  readonly unknown: number
  readonly unsettled: number
  /** Rejected as not done, and in the queue all the same: a wrong word. */
  readonly wronglyNotDone: number
  /** Stored twice, and the receipt had said that this may be. */
  readonly announcedDuplicates: number
  /** Stored twice, and nobody had said so. */
  readonly unannouncedDuplicates: number
  /** Handed out again by the broker, and marked as such. */
  readonly redeliveries: number
  /** First sights that came after a later message. */
  readonly outOfOrder: number
}

/** Decides by the ledger, not by logs. */
export function judgeLedger({ sent, consumed }: Ledger): LedgerVerdict {
  const count = (outcome: Sent['outcome']): number => sent.filter((one) => one.outcome === outcome).length
  const copies = new Map<number, number>()
  for (const { id, redelivered } of consumed) if (!redelivered) copies.set(id, (copies.get(id) ?? 0) + 1)
  const seen = new Set(consumed.map(({ id }) => id))
  const announced = new Set(
    sent.filter((one) => one.maybeDuplicate || one.outcome !== 'confirmed').map(({ id }) => id),
  )
  const duplicated = [...copies].filter(([, number]) => number > 1)
  return {
    sent: sent.length,
    confirmed: count('confirmed'),
    lost: sent.filter(({ id, outcome }) => outcome === 'confirmed' && !seen.has(id)).length,
    notDone: count('not-done'),
    unknown: count('unknown'),
    unsettled: count('unsettled'),
    wronglyNotDone: sent.filter(({ id, outcome }) => outcome === 'not-done' && seen.has(id)).length,
    announcedDuplicates: duplicated.filter(([id]) => announced.has(id)).length,
    unannouncedDuplicates: duplicated.filter(([id]) => !announced.has(id)).length,
    redeliveries: consumed.filter(({ redelivered }) => redelivered).length,
    outOfOrder: outOfOrder(consumed),
  }
}

// With repeats removed, one publisher's messages are to be seen in the order in which they were published.
function outOfOrder(consumed: readonly Consumed[]): number {
  const seen = new Set<number>()
  let highest = -1
  let late = 0
  for (const { id } of consumed) {
    if (seen.has(id)) continue
    seen.add(id)
    if (id < highest) late += 1
    else highest = id
  }
  return late
}

/** When messages were confirmed. */
export function confirmInstants({ sent }: Ledger): readonly number[] {
  return sent.flatMap(({ outcome, settledAtMs }) =>
    outcome === 'confirmed' && settledAtMs !== undefined ? [settledAtMs] : [],
  )
}

/**
 * The dark time after a fault: the longest silence between two instants that was going on at some moment of the
 * `withinMs` after it. Undefined when nothing came after it. One ruler for confirms, deliveries and the floor.
 */
export function darkMs(instants: readonly number[], faultAtMs: number, withinMs: number): number | undefined {
  const after = instants.filter((atMs) => atMs > faultAtMs).sort((a, b) => a - b)
  if (after.length === 0) return undefined
  let longest = 0
  let before = faultAtMs
  for (const atMs of after) {
    if (before > faultAtMs + withinMs) break
    longest = Math.max(longest, atMs - before)
    before = atMs
  }
  return longest
}

/** A time in which nothing happened. */
export interface Silence {
  readonly afterFaultMs: number
  readonly lastedMs: number
}

/** The longest silences between instants after a fault, longest first. */
export function silencesOf(instants: readonly number[], faultAtMs: number, most: number): readonly Silence[] {
  const after = [faultAtMs, ...instants.filter((atMs) => atMs > faultAtMs).sort((a, b) => a - b)]
  return after
    .slice(1)
    .map((atMs, i) => ({ afterFaultMs: (after[i] ?? 0) - faultAtMs, lastedMs: atMs - (after[i] ?? 0) }))
    .sort((a, b) => b.lastedMs - a.lastedMs)
    .slice(0, most)
}
