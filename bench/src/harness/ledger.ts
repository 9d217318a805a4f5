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
  /** Handled more than once, and the receipt had said that this may be. */
  readonly announcedDuplicates: number
  /** Handled more than once, neither announced by the receipt nor marked as redelivered by the broker. */
  readonly unannouncedDuplicates: number
  /** Handled again though only the broker had handed it out again. */
  readonly handledAgain: number
  /** First sights that came after a later message. */
  readonly outOfOrder: number
}

/** Decides by the ledger, not by logs. */
export function judgeLedger({ sent, consumed }: Ledger): LedgerVerdict {
  const count = (outcome: Sent['outcome']): number => sent.filter((one) => one.outcome === outcome).length
  const runs = runsOf(consumed)
  const announced = new Set(
    sent.filter((one) => one.maybeDuplicate || one.outcome !== 'confirmed').map(({ id }) => id),
  )
  const repeated = [...runs].filter(([, { fresh, marked }]) => fresh + marked > 1)
  const quiet = repeated.filter(([id]) => !announced.has(id))
  return {
    sent: sent.length,
    confirmed: count('confirmed'),
    lost: sent.filter(({ id, outcome }) => outcome === 'confirmed' && !runs.has(id)).length,
    notDone: count('not-done'),
    unknown: count('unknown'),
    unsettled: count('unsettled'),
    wronglyNotDone: sent.filter(({ id, outcome }) => outcome === 'not-done' && runs.has(id)).length,
    announcedDuplicates: repeated.length - quiet.length,
    unannouncedDuplicates: quiet.filter(([, { fresh }]) => fresh > 1).length,
    handledAgain: quiet.filter(([, { fresh }]) => fresh <= 1).length,
    outOfOrder: outOfOrder(consumed),
  }
}

interface Runs {
  /** Of copies that the broker had not handed out before. */
  fresh: number
  /** Of copies that it marked as redelivered. */
  marked: number
}

function runsOf(consumed: readonly Consumed[]): ReadonlyMap<number, Runs> {
  const runs = new Map<number, Runs>()
  for (const { id, redelivered } of consumed) {
    const known = runs.get(id) ?? { fresh: 0, marked: 0 }
    runs.set(id, known)
    if (redelivered) known.marked += 1
    else known.fresh += 1
  }
  return runs
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
