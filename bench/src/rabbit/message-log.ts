/** The outcome of one message, as reported to its publisher. Times are milliseconds since 1970, of one machine. */
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

/** One message that was still unacknowledged when the traffic was over. */
export type LeftoverMessage = Omit<Consumed, 'atMs'>

/** All outcomes reported to a publisher, and all deliveries to its consumer. */
export interface MessageLog {
  readonly sent: readonly Sent[]
  readonly consumed: readonly Consumed[]
}

/** What the log proves. */
export interface LogVerdict {
  readonly sent: number
  readonly confirmed: number
  /** Confirmed, and neither seen by the consumer nor left in the queue: the one number that must be 0. */
  readonly lost: number
  /** Confirmed and never seen, but in the queue: the consumer has not come back in time. */
  readonly undelivered: number
  readonly notDone: number
  readonly unknown: number
  readonly unsettled: number
  /** Rejected as not done, although it is in the queue: a false report. */
  readonly wronglyNotDone: number
  /** More than one copy or run, and the receipt had said that this may be. */
  readonly announcedDuplicates: number
  /** More than one copy in the queue, not announced by the receipt. */
  readonly unannouncedDuplicates: number
  /** Handled again though only the broker had handed it out again. */
  readonly handledAgain: number
  /** First sights that came after a later message. */
  readonly outOfOrder: number
}

/** Checks the message log against what was left in the queue. */
export function checkLog({ sent, consumed }: MessageLog, left: readonly LeftoverMessage[]): LogVerdict {
  const count = (outcome: Sent['outcome']): number => sent.filter((one) => one.outcome === outcome).length
  const traces = tracesOf(consumed, left)
  const missing = sent.filter(({ id, outcome }) => outcome === 'confirmed' && !traces.get(id)?.runs)
  const announced = new Set(
    sent.filter((one) => one.maybeDuplicate || one.outcome !== 'confirmed').map(({ id }) => id),
  )
  const repeated = [...traces].filter(([, { copies, runs }]) => copies > 1 || runs > 1)
  const quiet = repeated.filter(([id]) => !announced.has(id))
  return {
    sent: sent.length,
    confirmed: count('confirmed'),
    lost: missing.filter(({ id }) => !traces.has(id)).length,
    undelivered: missing.filter(({ id }) => traces.has(id)).length,
    notDone: count('not-done'),
    unknown: count('unknown'),
    unsettled: count('unsettled'),
    wronglyNotDone: sent.filter(({ id, outcome }) => outcome === 'not-done' && traces.has(id)).length,
    announcedDuplicates: repeated.length - quiet.length,
    unannouncedDuplicates: quiet.filter(([, { copies }]) => copies > 1).length,
    handledAgain: quiet.filter(([, { copies }]) => copies <= 1).length,
    outOfOrder: outOfOrder(consumed),
  }
}

/** What is known of one message beyond its publisher. */
interface Trace {
  /** Runs of the handler. */
  runs: number
  /** Copies that the queue is known to have held: handed out for the first time, or left at the end. */
  copies: number
}

function tracesOf(
  consumed: readonly Consumed[],
  left: readonly LeftoverMessage[],
): ReadonlyMap<number, Trace> {
  const traces = new Map<number, Trace>()
  const traceOf = (id: number): Trace => {
    const trace = traces.get(id) ?? { runs: 0, copies: 0 }
    traces.set(id, trace)
    return trace
  }
  for (const { id } of consumed) traceOf(id).runs += 1
  // What was handed out before is no other copy.
  for (const { id, redelivered } of [...consumed, ...left]) traceOf(id).copies += redelivered ? 0 : 1
  return traces
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
export function confirmInstants({ sent }: MessageLog): readonly number[] {
  return sent.flatMap(({ outcome, settledAtMs }) =>
    outcome === 'confirmed' && settledAtMs !== undefined ? [settledAtMs] : [],
  )
}
