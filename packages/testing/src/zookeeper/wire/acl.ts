import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'

/** A name that somebody gave, or that an entry of an ACL is about. */
export interface Identity {
  readonly scheme: string
  readonly id: string
}

/** One entry of an ACL. */
export interface AclEntry extends Identity {
  /** The sum of what is allowed. */
  readonly permissions: number
}

/** What an entry can allow, as bits. */
export const permission = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const

export function readAcl(reader: ByteReader): readonly AclEntry[] {
  return reader.list(() => ({ permissions: reader.int(), scheme: reader.text(), id: reader.text() }))
}

export function writeAcl(writer: ByteWriter, acl: readonly AclEntry[]): ByteWriter {
  return writer.list(acl, ({ permissions, scheme, id }) => writer.int(permissions).text(scheme).text(id))
}
