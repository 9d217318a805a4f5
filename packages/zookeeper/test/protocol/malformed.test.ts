import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MalformedError, ReplyError } from '../../src/protocol/error-codes.ts'
import { multi } from '../../src/protocol/multi.ts'
import { decodeConnectResponse, decodeEvent, decodeReply } from '../../src/protocol/packets.ts'
import { create, exists, getAcl, getChildren, getData } from '../../src/protocol/requests.ts'

const node = {
  path: '/a',
  data: '',
  acl: [],
  kind: 'persistent',
  sequential: false,
  ttlMs: undefined,
} as const

const readers: readonly ((bytes: Buffer) => unknown)[] = [
  decodeReply,
  decodeEvent,
  decodeConnectResponse,
  exists('/a', false).decode,
  getData('/a', false).decode,
  getChildren('/a', false).decode,
  getAcl('/a').decode,
  create(node).decode,
  multi([{ kind: 'check', path: '/a', version: 0 }]).decode,
]

describe('whatever a server sends', () => {
  it('is read, or is malformed, and nothing else is ever thrown', () => {
    // Wrong lengths are mostly small or huge: random bytes alone would seldom be near.
    const int = fc.oneof(
      fc.integer({ min: -3, max: 70 }),
      fc.constantFrom(0x7fff_ffff, -0x8000_0000, 0x00ff_ffff),
    )
    const piece = fc.oneof(
      int.map((value) => Buffer.from([value >> 24, value >> 16, value >> 8, value])),
      fc.uint8Array({ maxLength: 70 }).map(Buffer.from),
    )
    const bytes = fc.array(piece, { maxLength: 12 }).map((pieces) => Buffer.concat(pieces))
    fc.assert(
      fc.property(fc.constantFrom(...readers), bytes, (read, sent) => {
        try {
          read(sent)
        } catch (error) {
          expect(error instanceof MalformedError || error instanceof ReplyError, String(error)).toBe(true)
        }
      }),
      { numRuns: 5_000 },
    )
  })
})
