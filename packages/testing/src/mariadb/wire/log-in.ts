import { createHash, timingSafeEqual } from 'node:crypto'
import { ByteReader } from './byte-reader.ts'
import { capability } from './flags.ts'

/** Who wants to come in. */
export interface LogIn {
  readonly user: string
  /** The proof that the client knows the password: empty for an empty one. */
  readonly proof: Buffer
  readonly schema: string | undefined
}

/** The client's answer to the greeting. */
export interface HandshakeResponse extends LogIn {
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
