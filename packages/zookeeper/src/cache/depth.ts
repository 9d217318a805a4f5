/** The node itself, its children, or everything at and below it. */
export type Depth = 0 | 1 | 'tree'

/** What is read and watched of one node: what it holds, or which children it has. */
export type FacetKind = 'data' | 'children'

/** What has to be followed at a node that is `level` steps below the root of a cache. */
export function facetsAt(depth: Depth, level: number): readonly FacetKind[] {
  if (depth === 'tree') return ['data', 'children']
  if (level < depth) return ['children']
  return level === depth ? ['data'] : []
}
