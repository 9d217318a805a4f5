/** The time zone of a session: a fixed offset from UTC, or a named zone whose offset changes. */
export type DateZone =
  | { readonly kind: 'fixed'; readonly aheadMs: number }
  | { readonly kind: 'named'; readonly aheadMs: (atMs: number) => number }

const fixedOffset = /^([+-])(\d{1,2}):(\d{2})$/

/** UTC. */
export const utc: DateZone = { kind: 'fixed', aheadMs: 0 }

/** The zone for a `time_zone` of the server: an offset, or a name; undefined for a name that is not known. */
export function dateZone(timeZone: string): DateZone | undefined {
  if (isUtc(timeZone)) return utc
  const [, sign, hours, minutes] = fixedOffset.exec(timeZone) ?? []
  if (sign === undefined) return isNamedZone(timeZone) ? namedZone(timeZone) : undefined
  const aheadMs = (Number(hours) * 60 + Number(minutes)) * 60_000
  return { kind: 'fixed', aheadMs: sign === '-' ? -aheadMs : aheadMs }
}

/** Whether a name or an offset means UTC. */
export function isUtc(timeZone: string): boolean {
  return /^(?:(?:etc\/)?(?:utc|gmt|uct|universal|zulu|greenwich)|z|[+-]0?0:00)$/i.test(timeZone)
}

/** Whether this process knows a named zone, such as `Europe/Berlin`. */
export function isNamedZone(name: string): boolean {
  try {
    return /^[a-z]/i.test(name) && new Intl.DateTimeFormat('en-US', { timeZone: name }) !== undefined
  } catch {
    return false
  }
}

/** Formats a date as a literal with milliseconds. */
export function writeDate(date: Date, zone: DateZone): string {
  // Shifted, so that the UTC fields show the local time of the zone. Throws for an invalid date.
  const atMs = date.getTime()
  const aheadMs = zone.kind === 'fixed' ? zone.aheadMs : zone.aheadMs(atMs)
  return new Date(atMs + aheadMs).toISOString().slice(0, -1).replace('T', ' ')
}

/** Parses a DATE, DATETIME or TIMESTAMP; null for the zero dates of the server. */
export function readDate(text: string, zone: DateZone): Date | null {
  const iso = text.length === 10 ? `${text}T00:00:00` : text.replace(' ', 'T')
  const localMs = Date.parse(`${iso}Z`)
  if (Number.isNaN(localMs)) return null
  return new Date(zone.kind === 'fixed' ? localMs - zone.aheadMs : instantOf(localMs, zone.aheadMs))
}

// As the server does: of a local time that occurs twice the earlier instant, and for one that is skipped the end of
// the gap. No zone changes its offset twice within a day.
function instantOf(localMs: number, aheadMs: (atMs: number) => number): number {
  const before = aheadMs(localMs - halfDayMs)
  const after = aheadMs(localMs + halfDayMs)
  if (before === after) return localMs - before
  if (aheadMs(localMs - before) === before) return localMs - before
  if (aheadMs(localMs - after) === after) return localMs - after
  return endOfGap(localMs - after, localMs - before, aheadMs)
}

// The first second with the later offset, by halving.
function endOfGap(fromMs: number, toMs: number, aheadMs: (atMs: number) => number): number {
  const after = aheadMs(toMs)
  let low = Math.floor(fromMs / 1_000)
  let high = Math.ceil(toMs / 1_000)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (aheadMs(middle * 1_000) === after) high = middle
    else low = middle
  }
  return high * 1_000
}

const halfDayMs = 43_200_000

// Offsets change at most every quarter of an hour. A formatter takes some microseconds, so its answers are kept.
const quarterMs = 900_000
const maxQuarters = 20_000
const zones = new Map<string, DateZone>()

function namedZone(name: string): DateZone {
  const known = zones.get(name)
  if (known !== undefined) return known
  const format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' })
  const quarters = new Map<number, number>()
  const aheadMs = (atMs: number): number => {
    const quarter = Math.floor(atMs / quarterMs)
    const before = quarters.get(quarter)
    if (before !== undefined) return before
    const ahead = offsetIn(format.format(quarter * quarterMs))
    if (quarters.size >= maxQuarters) quarters.clear()
    quarters.set(quarter, ahead)
    return ahead
  }
  const zone = { kind: 'named', aheadMs } as const
  zones.set(name, zone)
  return zone
}

// Reads the end of `7/1/2026, GMT+02:00`; zones before 1900 have seconds too.
function offsetIn(formatted: string): number {
  const [, sign, hours, minutes, seconds] = /GMT([+-])(\d+):(\d+)(?::(\d+))?$/.exec(formatted) ?? []
  if (sign === undefined) return 0
  const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds ?? 0)) * 1_000
  return sign === '-' ? -ms : ms
}
