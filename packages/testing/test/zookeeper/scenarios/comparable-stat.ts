import type { JuteReader } from '../../../src/zookeeper/wire/records.ts'
import type { Reply } from '../raw-client.ts'

/** What a client sees of a stat, without what differs from one ensemble to the next. */
export interface ComparableStat {
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly owner: 'none' | 'mine'
  readonly dataLength: number
  readonly numChildren: number
  /** Whether its data, and its children, are as they were when it was made. */
  readonly isOld: readonly [data: boolean, children: boolean]
}

/** The code of an answer, or that there was none. */
export function codeOf(reply: Reply | undefined): number | 'end' {
  return reply?.code ?? 'end'
}

/** Reads a stat. */
export function statIn(body: JuteReader): ComparableStat {
  const [czxid, mzxid] = [body.long(), body.long()]
  body.long()
  body.long()
  const [version, cversion, aversion] = [body.int(), body.int(), body.int()]
  const owner = body.long() === 0n ? 'none' : 'mine'
  const [dataLength, numChildren, pzxid] = [body.int(), body.int(), body.long()]
  const isOld = [mzxid === czxid, pzxid === czxid] as const
  return { version, cversion, aversion, owner, dataLength, numChildren, isOld }
}

/** What came of something that answers a stat: that, or a code. */
export function statOf(reply: Reply | undefined): ComparableStat | number | 'end' {
  return reply?.code === 0 ? statIn(reply.body) : codeOf(reply)
}

/** What came of a create: the path below the place of the scenario and the stat, or a code. */
export function createdOf(place: string, reply: Reply | undefined): unknown {
  if (reply?.code !== 0) return codeOf(reply)
  const path = below(place, reply.body.text())
  return reply.body.left > 0 ? [path, statIn(reply.body)] : path
}

/** What came of reading data: text, null for none, and the stat; or a code. */
export function dataOf(reply: Reply | undefined): unknown {
  if (reply?.code !== 0) return codeOf(reply)
  const data = reply.body.buffer()
  return [data === null ? null : data.toString('utf8'), statIn(reply.body)]
}

/** What came of reading children: their names, sorted, and the stat if there is one; or a code. */
export function childrenOf(reply: Reply | undefined): unknown {
  if (reply?.code !== 0) return codeOf(reply)
  const names = [...reply.body.list(() => reply.body.text())].sort()
  return reply.body.left > 0 ? [names, statIn(reply.body)] : names
}

/** A path as it is below the place of the scenario. */
export function below(place: string, path: string): string {
  return path.startsWith(place) ? path.slice(place.length) || '/' : path
}
