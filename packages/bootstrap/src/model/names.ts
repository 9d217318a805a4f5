import { labError } from './codes.ts'

// One word for a folder, an Erlang short name and a shell argument at once; 31 leaves room in a socket path.
const wellFormed = /^[a-z][a-z0-9-]{0,30}$/

/** Whether a lab or a node may be called so. */
export function isName(name: string): boolean {
  return wellFormed.test(name)
}

/** Returns the name, or says what is wrong with it; `what` is `lab` or `node`. */
export function checkName(name: string, what: string): string {
  if (!isName(name)) {
    throw labError(
      'config-invalid',
      `'${name}' cannot name a ${what}: use a lower-case letter first, then up to 30 letters, digits or dashes`,
    )
  }
  return name
}

/** The names of the nodes: those given, or `stem1`, `stem2` and so on. */
export function nodeNames(nodes: number | readonly string[], stem: string, most: number): readonly string[] {
  const count = typeof nodes === 'number' ? nodes : nodes.length
  if (!Number.isInteger(count) || count < 1 || count > most) {
    throw labError('config-invalid', `nodes: expected 1 to ${most} nodes, got ${count}`)
  }
  if (typeof nodes === 'number') return Array.from({ length: count }, (_, i) => `${stem}${i + 1}`)
  for (const [at, name] of nodes.entries()) {
    checkName(name, 'node')
    if (nodes.indexOf(name) !== at) {
      throw labError('name-taken', `nodes: two nodes are called '${name}'; give each a name of its own`)
    }
  }
  return [...nodes]
}
