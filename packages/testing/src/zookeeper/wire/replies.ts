import { framed } from './frames.ts'
import { type AclEntry, JuteWriter, type Stat, writeAcl, writeStat } from './records.ts'
import { opCodes } from './requests.ts'

/** The header of an answer. */
export interface ReplyHead {
  readonly xid: number
  readonly zxid: bigint
  readonly code: number
}

/** The result of one part of a multi. */
export type PartResult =
  | { readonly kind: 'created'; readonly type: number; readonly path: string; readonly stat: Stat }
  | { readonly kind: 'stat'; readonly type: number; readonly stat: Stat }
  | { readonly kind: 'nothing'; readonly type: number }
  | { readonly kind: 'failed'; readonly code: number }

/** The types of watch events, by kind. */
export const eventTypes = { created: 1, deleted: 2, changed: 3, children: 4 } as const

/** The kind of a watch event. */
export type EventKind = keyof typeof eventTypes

const errorType = -1

/** An answer with its frame. */
export function encodeReply({ xid, zxid, code }: ReplyHead, body: Buffer = noBody): Buffer {
  return framed(new JuteWriter().int(xid).long(zxid).int(code).raw(body).take())
}

/** A watch event with its frame. `type` may be unknown to the client. */
export function encodeEvent(type: number, path: string): Buffer {
  const state = 3
  const body = new JuteWriter().int(type).int(state).text(path).take()
  return encodeReply({ xid: -1, zxid: -1n, code: 0 }, body)
}

/** The body of an answer that has none. */
export const noBody: Buffer = Buffer.alloc(0)

/** The bodies of answers. */
export const bodies = {
  path: (path: string): Buffer => new JuteWriter().text(path).take(),
  created: (path: string, stat: Stat): Buffer => writeStat(new JuteWriter().text(path), stat).take(),
  stat: (stat: Stat): Buffer => writeStat(new JuteWriter(), stat).take(),
  data: (data: Buffer | null, stat: Stat): Buffer => writeStat(new JuteWriter().buffer(data), stat).take(),
  names: (names: readonly string[]): Buffer => writeNames(names).take(),
  children: (names: readonly string[], stat: Stat): Buffer => writeStat(writeNames(names), stat).take(),
  acl: (acl: readonly AclEntry[], stat: Stat): Buffer =>
    writeStat(writeAcl(new JuteWriter(), acl), stat).take(),
  /** A code of its own behind that of the answer, as `add-watch` has it. */
  code: (value: number): Buffer => new JuteWriter().int(value).take(),
  /** What became of each part. */
  multi: (results: readonly PartResult[]): Buffer => {
    const writer = new JuteWriter()
    for (const result of results) writePart(writer, result)
    return writer.int(-1).flag(true).int(-1).take()
  },
} as const

function writeNames(names: readonly string[]): JuteWriter {
  const writer = new JuteWriter()
  return writer.list(names, (name) => writer.text(name))
}

function writePart(writer: JuteWriter, result: PartResult): void {
  if (result.kind === 'failed') {
    writer.int(errorType).flag(false).int(result.code).int(result.code)
    return
  }
  writer.int(result.type).flag(false).int(0)
  if (result.kind === 'created') {
    writer.text(result.path)
    if (result.type !== opCodes.create) writeStat(writer, result.stat)
  } else if (result.kind === 'stat') writeStat(writer, result.stat)
}
