import type { WatchedPaths } from './watch-table.ts'

// As the Java client does: a request that is larger than the servers’ `jute.maxbuffer` would end each new connection.
const mostBytes = 128 * 1024

// A vector's entry is the text and four bytes of length.
const entryBytes = 4

/** What one request sets. */
export type WatchBatch = Readonly<Record<keyof WatchedPaths, readonly string[]>>

/** Divides what is watched into requests of at most 128 KiB each; what is not watched any more at its turn is left out. */
export function* batches(paths: WatchedPaths): Generator<WatchBatch, void> {
  let batch = empty()
  let bytes = 0
  for (const kind of kinds) {
    for (const path of paths[kind]) {
      const size = entryBytes + Buffer.byteLength(path)
      if (bytes > 0 && bytes + size > mostBytes) {
        yield batch
        batch = empty()
        bytes = 0
      }
      batch[kind].push(path)
      bytes += size
    }
  }
  if (bytes > 0) yield batch
}

const kinds = ['data', 'exists', 'children', 'recursive'] as const

function empty(): Record<keyof WatchedPaths, string[]> {
  return { data: [], exists: [], children: [], recursive: [] }
}
