import { misspelt, type Spelling } from './spelling.ts'

const offset = /^[+-](?:0\d|1[0-4]):[0-5]\d$/
const named = /^[A-Z][A-Za-z_]+(?:\/[A-Za-z0-9_+-]+)+$/

/** Reads the zone of a session: `server`, an offset such as `+02:00`, or a name such as `Europe/Berlin`. */
export const timeZone: Spelling<string> = (value, place) => {
  if (typeof value === 'string') {
    if (value === 'server' || offset.test(value) || named.test(value)) return value
    if (/^(?:utc|gmt|z)$/i.test(value)) return '+00:00'
  }
  throw misspelt(place, "expected 'server', an offset such as '+02:00', or a zone such as 'Europe/Berlin'")
}

/** Reads Java's words for a zone: `disabled` and `SERVER` leave the server's; this machine's own is refused. */
export const javaTimeZone: Spelling<string> = (value, place) => {
  const word = String(value).toLowerCase()
  if (word === 'disabled' || word === 'server') return 'server'
  if (word === 'local' || word === 'auto') {
    throw misspelt(place, "the zone of this machine differs from machine to machine: write one, as '+02:00'")
  }
  return timeZone(value, place)
}
