import { describe, expect, it } from 'vitest'
import { MalformedError, ReplyError } from '../../src/protocol/error-codes.ts'
import { multi } from '../../src/protocol/multi.ts'
import { decodeEvent, decodeReply } from '../../src/protocol/packets.ts'
import {
  create,
  exists,
  getAcl,
  getChildren,
  getData,
  remove,
  setAcl,
  setData,
} from '../../src/protocol/requests.ts'
import { int, long, stat, ustring } from '../connection/raw-peer.ts'

const read = {
  czxid: 1n,
  mzxid: 2n,
  ctimeMs: 3,
  mtimeMs: 4,
  version: 5,
  cversion: 6,
  aversion: 7,
  ephemeralOwner: 8n,
  dataLength: 9,
  numChildren: 10,
  pzxid: 11n,
}
const acl = Buffer.concat([int(1), int(1 | 16 | 64), ustring('digest'), ustring('u:h')])
const node = {
  path: '/a-',
  data: '',
  acl: [],
  kind: 'persistent',
  sequential: true,
  ttlMs: undefined,
} as const

describe('an answer', () => {
  it('holds a stat', () => {
    expect(exists('/a', false).decode(stat)).toEqual(read)
    expect(setData('/a', '').decode(stat)).toEqual(read)
    expect(setAcl('/a', []).decode(stat)).toEqual(read)
  })

  it('holds 64 bits whole, with their sign', () => {
    const owned = Buffer.from(stat)
    owned.writeBigInt64BE(-0x7fff_ffff_ffff_ff01n, 44)
    expect(exists('/a', false).decode(owned).ephemeralOwner).toBe(-0x7fff_ffff_ffff_ff01n)
  })

  it('holds data of its own, which outlives the chunk that it came in', () => {
    const chunk = Buffer.concat([int(2), Buffer.from('hi'), stat])
    const { data } = getData('/a', false).decode(chunk)
    chunk.fill(0)
    expect(data.toString()).toBe('hi')
  })

  it('holds no data where the node has none at all', () => {
    expect(getData('/a', false).decode(Buffer.concat([int(-1), stat]))).toEqual({
      data: Buffer.alloc(0),
      stat: read,
    })
  })

  it('holds names', () => {
    const two = Buffer.concat([int(2), ustring('ä'), ustring('b'), stat])
    expect(getChildren('/a', false).decode(two)).toEqual({ names: ['ä', 'b'], stat: read })
    expect(getChildren('/a', false).decode(Buffer.concat([int(0), stat])).names).toEqual([])
    expect(getChildren('/a', false).decode(Buffer.concat([int(-1), stat])).names).toEqual([])
  })

  it('holds an ACL, without permissions that nobody knows', () => {
    expect(getAcl('/a').decode(Buffer.concat([acl, stat]))).toEqual({
      acl: [{ permissions: ['read', 'admin'], scheme: 'digest', id: 'u:h' }],
      stat: read,
    })
  })

  it('holds the path that was made, with its number', () => {
    const made = Buffer.concat([ustring('/a-0000000001'), stat])
    expect(create(node).decode(made)).toEqual({ path: '/a-0000000001', stat: read })
  })

  it('may be longer than we know', () => {
    expect(exists('/a', false).decode(Buffer.concat([stat, Buffer.of(1, 2, 3)]))).toEqual(read)
    expect(remove('/a').decode(Buffer.of(1, 2, 3))).toBeUndefined()
  })

  it.each<[string, Buffer]>([
    ['ends too early', Buffer.concat([int(2), Buffer.from('h')])],
    ['is empty', Buffer.alloc(0)],
    ['says that it is longer than it is', Buffer.concat([int(0x7fff_ffff), stat])],
    ['says that it is shorter than nothing', Buffer.concat([int(-2), stat])],
  ])('that %s is malformed', (_, body) => {
    expect(() => getData('/a', false).decode(body)).toThrow(MalformedError)
  })

  it('with more names than bytes is malformed, at once', () => {
    expect(() => getChildren('/a', false).decode(Buffer.concat([int(0x7fff_ffff), stat]))).toThrow(
      MalformedError,
    )
  })

  it('with half a long is malformed', () => {
    expect(() => exists('/a', false).decode(stat.subarray(0, stat.length - 4))).toThrow(MalformedError)
  })
})

describe('a frame', () => {
  it('is a header and a body', () => {
    const bytes = Buffer.concat([int(7), long(0x500000001n), int(-101), Buffer.from('rest')])
    expect(decodeReply(bytes)).toEqual({ xid: 7, zxid: 0x500000001n, err: -101, body: Buffer.from('rest') })
  })

  it('without a whole header is malformed', () => {
    expect(() => decodeReply(int(7))).toThrow(MalformedError)
  })

  it('may be an event of a node, or of something else', () => {
    const event = (type: number): Buffer => Buffer.concat([int(type), int(3), ustring('/a')])
    expect(decodeEvent(event(2))).toEqual({ kind: 'deleted', path: '/a' })
    expect([-1, 0, 5, 6, 7].map((type) => decodeEvent(event(type)))).toEqual(new Array(5).fill(undefined))
  })
})

describe('the answer to a multi', () => {
  const header = (type: number, done = 0): Buffer => Buffer.concat([int(type), Buffer.of(done), int(0)])
  const end = header(-1, 1)
  const request = multi([
    { kind: 'create', path: '/a', acl: [] },
    { kind: 'set', path: '/b', data: '' },
    { kind: 'check', path: '/c', version: 0 },
    { kind: 'delete', path: '/d' },
  ])

  it('holds what became of each change', () => {
    const body = [header(1), ustring('/a'), header(5), stat, header(13), header(2), end]
    expect(request.decode(Buffer.concat(body))).toEqual([
      { kind: 'create', path: '/a' },
      { kind: 'set', stat: read },
      { kind: 'check' },
      { kind: 'delete' },
    ])
  })

  it('says which change was refused: not those before it, nor those after', () => {
    const results = [0, -103, -2, -2].map((code) => Buffer.concat([header(-1), int(code)]))
    const refused = (): unknown => request.decode(Buffer.concat([...results, end]))
    expect(refused).toThrow(ReplyError)
    expect(refused).toThrow(
      expect.objectContaining({ code: -103, symbol: 'BADVERSION', path: '/b', index: 1 }),
    )
  })

  it.each<[string, Buffer[]]>([
    ['never ends', [header(2), header(2)]],
    ['has too few results', [header(2), end]],
    ['has a result that nobody knows', [header(99), end]],
  ])('that %s is malformed', (_, body) => {
    expect(() => request.decode(Buffer.concat(body))).toThrow(MalformedError)
  })
})
