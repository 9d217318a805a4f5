import type { WatchedPaths } from './watch-table.ts'

// As the Java client does: a request that is larger than the servers’ `jute.maxbuffer` would end each new connection.
const mostBytes = 128 * 1024

// A vector's entry is the text and four bytes of length.
const entryBytes = 4

/** Divides what is watched into requests of at most 128 KiB each. */
export function batches(paths: WatchedPaths): readonly WatchedPaths[] {
  const all: WatchedPaths[] = []
  let batch = empty()
  let bytes = 0
  for (const kind of kinds) {
    for (const path of paths[kind]) {
      const size = entryBytes + Buffer.byteLength(path)
      if (bytes > 0 && bytes + size > mostBytes) {
        all.push(batch)
        batch = empty()
        bytes = 0
      }
      batch[kind].push(path)
      bytes += size
    }
  }
  return bytes > 0 ? [...all, batch] : all
}

const kinds = ['data', 'exists', 'children', 'recursive'] as const

function empty(): Record<(typeof kinds)[number], string[]> {
  return { data: [], exists: [], children: [], recursive: [] }
}
