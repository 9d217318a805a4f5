import { createHash, timingSafeEqual } from 'node:crypto'
import { ByteReader, ByteWriter } from './packets.ts'

/** What a server says of itself to whoever connects. */
interface Greeting {
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

/** Who wants to come in. */
export interface LogIn {
  readonly user: string
  /** The proof that the client knows the password: empty for an empty one. */
  readonly proof: Buffer
  readonly schema: string | undefined
}

/** The client's answer to the greeting. */
interface HandshakeResponse extends LogIn {
  readonly capabilities: bigint
}

// The character set and what nobody uses.
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
  const proof = isSized ? reader.sized() : reader.bytes(reader.octet())
  const schema = (capabilities & capability.connectWithSchema) === 0n ? undefined : reader.nullText()
  return { capabilities, user, proof, schema }
}

/** Reads who a connection wants to be from now on. */
export function decodeChangeUser(body: Buffer): LogIn {
  const reader = new ByteReader(body)
  const user = reader.nullText()
  const proof = reader.bytes(reader.octet())
  const schema = reader.left === 0 ? '' : reader.nullText()
  return { user, proof, schema: schema === '' ? undefined : schema }
}

/** Whether a proof of `mysql_native_password` is right. */
export function isProof(proof: Buffer, password: string, seed: Buffer): boolean {
  if (password === '') return proof.length === 0
  const expected = proofOf(password, seed)
  return proof.length === expected.length && timingSafeEqual(proof, expected)
}

function proofOf(password: string, seed: Buffer): Buffer {
  const once = sha1(Buffer.from(password, 'utf8'))
  const mixed = sha1(seed, sha1(once))
  return Buffer.from(once.map((octet, i) => octet ^ (mixed[i] ?? 0)))
}

function sha1(...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha1')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

type Capability =
  | 'foundRows'
  | 'connectWithSchema'
  | 'protocol41'
  | 'transactions'
  | 'secureConnection'
  | 'multiResults'
  | 'preparedMultiResults'
  | 'pluginAuth'
  | 'connectAttributes'
  | 'sizedAuth'
  | 'sessionTrack'
  | 'deprecateEof'
  | 'bulk'
  | 'extendedMetadata'

type StatusFlag = 'inTransaction' | 'autocommit' | 'inReadOnlyTransaction' | 'sessionStateChanged'

/** What client and server may agree on, as bits of the handshake. MariaDB's own are above bit 31. */
export const capability: Readonly<Record<Capability, bigint>> = {
  foundRows: 1n << 1n,
  connectWithSchema: 1n << 3n,
  protocol41: 1n << 9n,
  transactions: 1n << 13n,
  secureConnection: 1n << 15n,
  multiResults: 1n << 17n,
  preparedMultiResults: 1n << 18n,
  pluginAuth: 1n << 19n,
  connectAttributes: 1n << 20n,
  sizedAuth: 1n << 21n,
  sessionTrack: 1n << 23n,
  deprecateEof: 1n << 24n,
  bulk: 1n << 34n,
  extendedMetadata: 1n << 35n,
}

/** What the server of this package can do. Without the lowest bit it is MariaDB and not MySQL. */
const serverCapabilities: bigint = Object.values(capability).reduce((all, bit) => all | bit, 0n)

/** How a connection stands, as bits of every answer that is no error. */
export const statusFlag: Readonly<Record<StatusFlag, number>> = {
  inTransaction: 1,
  autocommit: 2,
  inReadOnlyTransaction: 1 << 13,
  sessionStateChanged: 1 << 14,
}
