import { childOf, nameOf, parentOf } from './paths.ts'

// As Curator marks them: `_c_`, a UUID, a dash, and the name.
const prefix = '_c_'

/** Puts a mark into the last name of a path, by which the node is found when the answer to its making was lost. */
export function mark(path: string, random: () => number): string {
  return childOf(parentOf(path), `${prefix}${uuid(random)}-${nameOf(path)}`)
}

/** The child that a create under this marked name has made, with the server’s number behind it if it is sequential. */
export function markedIn(names: readonly string[], marked: string): string | undefined {
  return names.find((name) => name.startsWith(marked))
}

/** A name without its mark. */
export function unmarked(name: string): string {
  return name.replace(/^_c_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-/, '')
}

// Version 4, from the randomness that we are given.
function uuid(random: () => number): string {
  const digit = (): string => Math.floor(random() * 16).toString(16)
  const digits = (count: number): string => Array.from({ length: count }, digit).join('')
  const variant = (8 + Math.floor(random() * 4)).toString(16)
  return `${digits(8)}-${digits(4)}-4${digits(3)}-${variant}${digits(3)}-${digits(12)}`
}
