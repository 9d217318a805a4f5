import type { ByteWriter } from './byte-writer.ts'

/** What a server says of a node. */
export interface SeenStat {
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly ctimeMs: number
  readonly mtimeMs: number
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly ephemeralOwner: bigint
  readonly dataLength: number
  readonly numChildren: number
  readonly pzxid: bigint
}

export function writeStat(writer: ByteWriter, stat: SeenStat): ByteWriter {
  return writer
    .long(stat.czxid)
    .long(stat.mzxid)
    .long(BigInt(stat.ctimeMs))
    .long(BigInt(stat.mtimeMs))
    .int(stat.version)
    .int(stat.cversion)
    .int(stat.aversion)
    .long(stat.ephemeralOwner)
    .int(stat.dataLength)
    .int(stat.numChildren)
    .long(stat.pzxid)
}
