/** What stands in a barrier's folder: the parts of those who came, and since all have come, `open`. */
export interface Sight {
  readonly names: readonly string[]
  readonly open: Opening | undefined
}

/** The node that says that all have come. It stays until all have gone. */
export interface Opening {
  /** The transaction that made it: tells the rounds of a barrier apart. */
  readonly czxid: bigint
  /** The part that made it. It goes last, and takes the node along. */
  readonly by: string
}

/** The part that one has in a round, once it is in. */
export interface Round {
  readonly own: string
  /** Who else was there when it began to leave. */
  readonly others: readonly string[]
  readonly opening: Opening
}

/** What one who wants to come in does next. */
export type EnterStep =
  | { readonly kind: 'in'; readonly opening: Opening }
  | { readonly kind: 'open' }
  | { readonly kind: 'wait' }
  /** Our part has gone: we come anew. */
  | { readonly kind: 'gone' }

/** `size` is how many have to come. */
export function enterStep({ names, open }: Sight, own: string, size: number): EnterStep {
  if (!names.includes(own)) return { kind: 'gone' }
  if (open !== undefined) return { kind: 'in', opening: open }
  return names.length < size ? { kind: 'wait' } : { kind: 'open' }
}

/** What one who leaves does next. */
export type LeaveStep =
  /** Takes its part away. */
  | { readonly kind: 'go' }
  /** Takes its part and the opening away, in one piece. */
  | { readonly kind: 'close' }
  /** Waits until the opening, or the part of somebody else, has gone. */
  | { readonly kind: 'wait'; readonly name: string }
  | { readonly kind: 'left' }

/**
 * Whoever made the opening waits for the others, one after the other; they wait for the opening alone, so that its end
 * tells them all at once. Those who came after we began to leave belong to the next round.
 */
export function leaveStep({ own, others, opening }: Round, { names, open }: Sight): LeaveStep {
  const closed = open?.czxid !== opening.czxid
  const [staying] = others.filter((name) => names.includes(name))
  if (opening.by === own && !closed) {
    return staying === undefined ? { kind: 'close' } : { kind: 'wait', name: staying }
  }
  if (names.includes(own)) return { kind: 'go' }
  if (!closed) return { kind: 'wait', name: openName }
  // Who made the opening has died with it; the others are still in.
  return staying === undefined ? { kind: 'left' } : { kind: 'wait', name: staying }
}

/** The name of the node that says that all have come. */
export const openName = 'open'
