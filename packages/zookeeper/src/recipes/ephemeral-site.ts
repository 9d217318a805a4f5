import { randomUUID } from 'node:crypto'
import type { Ground } from '../ground.ts'
import type { Node, WatchEvent } from '../node.ts'
import type { CallOptions } from '../operations/operations.ts'
import { childOf, nameOf, parentOf } from '../operations/paths.ts'

/** Where the node of an ephemeral is. */
export interface Site {
  /** What a create is given. */
  readonly path: string
  /** Whether the server adds a number to it. */
  readonly sequential: boolean
  /** Looks at the node, and watches it when `onEvent` is given. */
  look(onEvent: ((event: WatchEvent) => void) | undefined, limit: CallOptions): Promise<Seen>
}

/** What was seen. */
export interface Seen {
  /** The path of the node, or what a create is given when there is none. */
  readonly path: string
  readonly node: Node | undefined
  unwatch(): void
}

type Reads = Pick<Ground, 'operations' | 'watched'>

/** The site of a node whose whole path is known. */
export function fixedSite(path: string, reads: Reads): Site {
  return { path, sequential: false, look: (onEvent, limit) => lookAt(path, reads, onEvent, limit) }
}

/**
 * The site of a node that the server gives a number. It is found by a mark in its name, in the form that Curator
 * writes and that its readers skip: so one whose creation nobody answered is found as well.
 */
export function numberedSite(path: string, reads: Reads): Site {
  const parent = parentOf(path)
  const marked = `_c_${randomUUID()}-${nameOf(path)}`
  const asked = childOf(parent, marked)
  return {
    path: asked,
    sequential: true,
    look: async (onEvent, limit) => {
      const children = await reads.operations.children(parent, limit)
      const name = latestOf(children?.names.filter((one) => one.startsWith(marked)) ?? [])
      if (name === undefined) return { path: asked, node: undefined, unwatch: () => undefined }
      return lookAt(childOf(parent, name), reads, onEvent, limit)
    },
  }
}

// The number has ten digits, so the greatest name is the latest. Those before it are of sessions that are over.
function latestOf(names: readonly string[]): string | undefined {
  return names.toSorted().at(-1)
}

async function lookAt(
  path: string,
  { operations, watched }: Reads,
  onEvent: ((event: WatchEvent) => void) | undefined,
  limit: CallOptions,
): Promise<Seen> {
  if (onEvent === undefined) {
    return { path, node: await operations.get(path, limit), unwatch: () => undefined }
  }
  const { value, unwatch } = await watched.get(path, onEvent, limit)
  return { path, node: value, unwatch }
}
