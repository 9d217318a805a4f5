import { ByteWriter } from './byte-writer.ts'
import { serverCapabilities, statusFlag } from './flags.ts'

/** What a server says of itself to whoever connects. */
export interface Greeting {
  readonly version: string
  readonly connectionId: number
  /** 20 bytes that the client mixes into the proof of its password. */
  readonly seed: Buffer
}

const protocolVersion = 10
const utf8mb4 = 45
const firstSeedBytes = 8

/** The first packet of every connection. */
export function encodeGreeting({ version, connectionId, seed }: Greeting): Buffer {
  const lower = Number(serverCapabilities & 0xffff_ffffn)
  return new ByteWriter()
    .octet(protocolVersion)
    .nullText(version)
    .long(connectionId)
    .raw(seed.subarray(0, firstSeedBytes))
    .octet(0)
    .short(lower)
    .octet(utf8mb4)
    .short(statusFlag.autocommit)
    .short(lower >>> 16)
    .octet(seed.length + 1)
    .zeros(6)
    .long(Number(serverCapabilities >> 32n))
    .raw(seed.subarray(firstSeedBytes))
    .octet(0)
    .nullText('mysql_native_password')
    .take()
}
