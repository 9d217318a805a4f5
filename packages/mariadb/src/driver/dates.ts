/** The time zone in which the session reads and writes dates: a fixed offset from UTC, or that of this process. */
export type DateZone = { readonly kind: 'fixed'; readonly aheadMs: number } | { readonly kind: 'process' }

const fixedOffset = /^([+-])(\d{1,2}):(\d{2})$/

/**
 * The zone for a session's `time_zone`. Named zones, and the server's own zone, are taken as the zone of this
 * process.
 */
export function dateZone(timeZone: string): DateZone {
  if (timeZone === 'UTC') return { kind: 'fixed', aheadMs: 0 }
  const [, sign, hours, minutes] = fixedOffset.exec(timeZone) ?? []
  if (sign === undefined) return { kind: 'process' }
  const aheadMs = (Number(hours) * 60 + Number(minutes)) * 60_000
  return { kind: 'fixed', aheadMs: sign === '-' ? -aheadMs : aheadMs }
}

/** Formats a date as a literal with milliseconds. */
export function writeDate(date: Date, zone: DateZone): string {
  // Shifted, so that the UTC fields show the local time of the zone. Throws for an invalid date.
  const aheadMs = zone.kind === 'fixed' ? zone.aheadMs : -date.getTimezoneOffset() * 60_000
  return new Date(date.getTime() + aheadMs).toISOString().slice(0, -1).replace('T', ' ')
}

/** Parses a DATE, DATETIME or TIMESTAMP; null for the zero dates of the server. */
export function readDate(text: string, zone: DateZone): Date | null {
  const iso = text.length === 10 ? `${text}T00:00:00` : text.replace(' ', 'T')
  const time = zone.kind === 'fixed' ? Date.parse(`${iso}Z`) - zone.aheadMs : Date.parse(iso)
  return Number.isNaN(time) ? null : new Date(time)
}
