/** Options as they are given, not checked yet. */
export type Draft = Readonly<Record<string, unknown>>

/** Both together: where both say something, `above` counts; group by group. What is undefined takes nothing away. */
export function overlay(below: Draft, above: Draft): Draft {
  const merged: Record<string, unknown> = { ...below }
  for (const [key, value] of Object.entries(above)) {
    if (value === undefined) continue
    const under = merged[key]
    merged[key] = isDraft(under) && isDraft(value) ? overlay(under, value) : value
  }
  return merged
}

/** A draft that says one thing: `pool.maximumSize` is 5. */
export function draftOf(path: string, value: unknown): Draft {
  const [key = '', ...inner] = path.split('.')
  return { [key]: inner.length === 0 ? value : draftOf(inner.join('.'), value) }
}

// Certificates, keys and secure contexts are objects too, and stay whole.
function isDraft(value: unknown): value is Draft {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
