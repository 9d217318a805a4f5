import { isAt, type Place, type Side, type Where } from './place.ts'

/** Matches the moment when a side has sent exactly so many bytes on a connection. */
export interface WhenByte extends Place {
  readonly from: Side
  readonly byte: number
}

/** What every rule has that is about a place in the stream of bytes, beside its act. */
export interface ByteRule {
  readonly when: WhenByte
}

/** Bytes that are about to pass, and how many have passed before them. */
export interface Stretch extends Where {
  readonly from: Side
  readonly position: number
  readonly length: number
}

/** How many bytes pass before a rule about bytes acts, and what it does then. */
export interface ByteStop<A> {
  readonly bytes: number
  readonly act: A
}

/** Decides where in a stretch of bytes a rule acts: the first place, or undefined when none lies in it. */
export function planBytes<B extends ByteRule>(
  rules: readonly B[],
  stretch: Stretch,
): ByteStop<B> | undefined {
  const first = rules
    .filter((rule) => isInside(rule.when, stretch))
    .reduce<B | undefined>(
      (best, rule) => (best === undefined || rule.when.byte < best.when.byte ? rule : best),
      undefined,
    )
  return first === undefined ? undefined : { bytes: first.when.byte - stretch.position, act: first }
}

// Its end belongs to a stretch and its beginning does not: the act at byte K comes right behind byte K, once.
function isInside(when: WhenByte, stretch: Stretch): boolean {
  const { position, length } = stretch
  return (
    when.from === stretch.from &&
    isAt(when, stretch) &&
    when.byte > position &&
    when.byte <= position + length
  )
}
