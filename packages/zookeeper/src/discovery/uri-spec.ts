import type { Instance } from './instance.ts'

/** One piece of an address: a text as it is, or the name of a field. */
export interface UriPart {
  readonly value: string
  readonly variable: boolean
}

/** The pieces of a template such as `{scheme}://{address}:{port}`; a brace without its partner is text. */
export function uriParts(template: string): readonly UriPart[] {
  const parts: UriPart[] = []
  for (const [piece] of template.matchAll(/\{[^{}]*\}|[^{}]+|[{}]/g)) {
    if (piece.length > 1 && piece.startsWith('{'))
      parts.push({ value: piece.slice(1, -1).trim(), variable: true })
    else parts.push(braces.get(piece) ?? { value: piece, variable: false })
  }
  return parts
}

/** The template that has these pieces. */
export function uriTemplate(parts: readonly UriPart[]): string {
  return parts.map(({ value, variable }) => (variable ? `{${value}}` : value)).join('')
}

/** The address of an instance as its template says it; without a template, as `{scheme}://{address}:{port}`. */
export function instanceUri(instance: Instance): string {
  const fields = fieldsOf(instance)
  return uriParts(instance.uriSpec ?? defaultUriSpec)
    .map(({ value, variable }) => (variable ? (fields.get(value) ?? '') : value))
    .join('')
}

/** How an address is written unless an instance says otherwise. */
export const defaultUriSpec = '{scheme}://{address}:{port}'

// The field names are those of Curator; a literal brace is a field there as well.
const braces: ReadonlyMap<string, UriPart> = new Map([
  ['{', { value: '[', variable: true }],
  ['}', { value: ']', variable: true }],
])

function fieldsOf(instance: Instance): ReadonlyMap<string, string> {
  const { name, id, address, port, sslPort, registeredAtMs } = instance
  return new Map([
    ['scheme', sslPort === undefined ? 'http' : 'https'],
    ['name', name],
    ['id', id],
    ['address', address.includes(':') ? `[${address}]` : address],
    ['port', String(port ?? sslPort ?? '')],
    ['ssl-port', String(sslPort ?? '')],
    ['registration-time-utc', String(registeredAtMs)],
    ['service-type', 'dynamic'],
    ['[', '{'],
    [']', '}'],
  ])
}
