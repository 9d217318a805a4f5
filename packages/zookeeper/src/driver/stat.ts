import type { Stat } from '../node.ts'
import type { data, ValuesOf } from './records.ts'

/** What a server says of a node, in our words. */
export function statOf({ ctime, mtime, ...same }: ValuesOf<typeof data.Stat>): Stat {
  return { ...same, ctimeMs: Number(ctime), mtimeMs: Number(mtime) }
}
