/** Where the clock stands in which the session writes dates: so many milliseconds ahead of UTC, or as in this process. */
export type DateZone = { readonly kind: 'fixed'; readonly aheadMs: number } | { readonly kind: 'process' }

const fixedOffset = /^([+-])(\d{1,2}):(\d{2})$/

/** The zone of a session's `time_zone`. A name, or the server's own, is read as the zone of this process. */
export function dateZone(timeZone: string): DateZone {
  if (timeZone === 'UTC') return { kind: 'fixed', aheadMs: 0 }
  const [, sign, hours, minutes] = fixedOffset.exec(timeZone) ?? []
  if (sign === undefined) return { kind: 'process' }
  const aheadMs = (Number(hours) * 60 + Number(minutes)) * 60_000
  return { kind: 'fixed', aheadMs: sign === '-' ? -aheadMs : aheadMs }
}

/** A date as a literal of the server, to the millisecond. */
export function writeDate(date: Date, zone: DateZone): string {
  // Shifted so that its UTC fields read as the clock of the zone; an invalid date throws here.
  const aheadMs = zone.kind === 'fixed' ? zone.aheadMs : -date.getTimezoneOffset() * 60_000
  return new Date(date.getTime() + aheadMs).toISOString().slice(0, -1).replace('T', ' ')
}

/** A DATE, DATETIME or TIMESTAMP as the server wrote it; null for its zero dates, which are no dates. */
export function readDate(text: string, zone: DateZone): Date | null {
  const iso = text.length === 10 ? `${text}T00:00:00` : text.replace(' ', 'T')
  const time = zone.kind === 'fixed' ? Date.parse(`${iso}Z`) - zone.aheadMs : Date.parse(iso)
  return Number.isNaN(time) ? null : new Date(time)
}
