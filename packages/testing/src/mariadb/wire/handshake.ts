import { createHash, timingSafeEqual } from 'node:crypto'
import { ByteReader, ByteWriter } from './packets.ts'

/** The contents of the server's first packet. */
interface Greeting {
  readonly version: string
  readonly connectionId: number
  /** 20 bytes that the client mixes into its auth response. */
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

/** The user that a client logs in as, with its auth response. */
export interface LoginRequest {
  readonly user: string
  /** The scrambled password; empty for an empty password. */
  readonly authResponse: Buffer
  readonly schema: string | undefined
}

/** The client's answer to the greeting. */
interface HandshakeResponse extends LoginRequest {
  readonly capabilities: bigint
}

// The character set and reserved bytes.
const fillerBytes = 20

/** Reads the client's answer to the greeting. */
export function decodeHandshake(payload: Buffer): HandshakeResponse {
  const reader = new ByteReader(payload)
  const lower = BigInt(reader.long())
  reader.long()
  reader.bytes(fillerBytes)
  const capabilities = lower | (BigInt(reader.long()) << 32n)
  const user = reader.nullText()
  const isSized = (capabilities & capability.sizedAuth) !== 0n
  const authResponse = isSized ? reader.sized() : reader.bytes(reader.octet())
  const schema = (capabilities & capability.connectWithSchema) === 0n ? undefined : reader.nullText()
  return { capabilities, user, authResponse, schema }
}

/** Reads the body of `COM_CHANGE_USER`. */
export function decodeChangeUser(body: Buffer): LoginRequest {
  const reader = new ByteReader(body)
  const user = reader.nullText()
  const authResponse = reader.bytes(reader.octet())
  const schema = reader.left === 0 ? '' : reader.nullText()
  return { user, authResponse, schema: schema === '' ? undefined : schema }
}

/** Whether an auth response of `mysql_native_password` matches the password. */
export function isAuthResponse(authResponse: Buffer, password: string, seed: Buffer): boolean {
  if (password === '') return authResponse.length === 0
  const expected = scramble(password, seed)
  return authResponse.length === expected.length && timingSafeEqual(authResponse, expected)
}

function scramble(password: string, seed: Buffer): Buffer {
  const once = sha1(Buffer.from(password, 'utf8'))
  const mixed = sha1(seed, sha1(once))
  return Buffer.from(once.map((octet, i) => octet ^ (mixed[i] ?? 0)))
}

function sha1(...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha1')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** The capabilities that client and server negotiate, as bits of the handshake. MariaDB's own are above bit 31. */
export const capability = {
  foundRows: 0x2n,
  connectWithSchema: 0x8n,
  protocol41: 0x200n,
  transactions: 0x2000n,
  secureConnection: 0x8000n,
  multiResults: 0x2_0000n,
  preparedMultiResults: 0x4_0000n,
  pluginAuth: 0x8_0000n,
  connectAttributes: 0x10_0000n,
  sizedAuth: 0x20_0000n,
  sessionTrack: 0x80_0000n,
  deprecateEof: 0x100_0000n,
  bulk: 0x4_0000_0000n,
} as const

// The capabilities of the fake server. Without the lowest bit a server is MariaDB and not MySQL.
const serverCapabilities: bigint = Object.values(capability).reduce<bigint>((all, bit) => all | bit, 0n)

/** The state of a connection, as bits of every answer but an error. */
export const statusFlag = {
  inTransaction: 0x1,
  autocommit: 0x2,
  inReadOnlyTransaction: 0x2000,
  sessionStateChanged: 0x4000,
} as const
