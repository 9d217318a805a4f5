import { didYouMean } from '@ha/core/driver'
import { labError } from './codes.ts'

/** What is said about a node that the lab does not have. */
export function unknownNode(
  plan: { readonly lab: string; readonly nodes: readonly { readonly name: string }[] },
  name: string,
): Error {
  const names = plan.nodes.map((node) => node.name)
  return labError(
    'node-unknown',
    `${plan.lab} has no node '${name}', only ${names.join(', ')}${didYouMean(name, names)}`,
  )
}
