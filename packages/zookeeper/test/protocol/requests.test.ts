import { describe, expect, it } from 'vitest'
import type { Acl } from '../../src/node.ts'
import { multi } from '../../src/protocol/multi.ts'
import { encodeRequest } from '../../src/protocol/packets.ts'
import {
  addWatch,
  auth,
  closeSession,
  create,
  exists,
  getAcl,
  getChildren,
  getData,
  type NewNode,
  ping,
  type Request,
  remove,
  removeWatches,
  setAcl,
  setData,
  setWatches,
  sync,
} from '../../src/protocol/requests.ts'

// As the protocol describes them: int 4 bytes, long 8, a text its length and its bytes, a list its count and its items.
const a = '000000022f61' // '/a'
const b = '000000022f62' // '/b'
const world = `${'00000001'}${'0000001f'}${'00000005'}776f726c64${'00000006'}616e796f6e65`
const anyone: readonly Acl[] = [
  { permissions: ['read', 'write', 'create', 'delete', 'admin'], scheme: 'world', id: 'anyone' },
]
const node: NewNode = {
  path: '/a',
  data: 'hi',
  acl: anyone,
  kind: 'persistent',
  sequential: false,
  ttlMs: undefined,
}
const hi = '000000026869'
const oneShot = { relativeZxid: 0x500000002n, data: ['/a'], exists: [], children: ['/a', '/b'] }

describe('a request on the wire', () => {
  it.each<[string, Request<unknown>, number, string]>([
    ['exists', exists('/a', false), 3, `${a}00`],
    ['getData', getData('/a', true), 4, `${a}01`],
    ['getChildren', getChildren('/a', true), 12, `${a}01`],
    ['getAcl', getAcl('/a'), 6, a],
    ['sync', sync('/a'), 9, a],
    ['a path beyond ASCII', sync('/ä'), 9, '000000032fc3a4'],
    ['create', create(node), 15, `${a}${hi}${world}00000000`],
    ['create without data', create({ ...node, data: '' }), 15, `${a}00000000${world}00000000`],
    ['create ephemeral', create({ ...node, kind: 'ephemeral' }), 15, `${a}${hi}${world}00000001`],
    ['create sequential', create({ ...node, sequential: true }), 15, `${a}${hi}${world}00000002`],
    [
      'create ephemeral and sequential',
      create({ ...node, kind: 'ephemeral', sequential: true }),
      15,
      `${a}${hi}${world}00000003`,
    ],
    ['create container', create({ ...node, kind: 'container' }), 19, `${a}${hi}${world}00000004`],
    [
      'create with a time',
      create({ ...node, ttlMs: 256 }),
      21,
      `${a}${hi}${world}00000005${'0000000000000100'}`,
    ],
    [
      'create sequential with a time',
      create({ ...node, ttlMs: 1, sequential: true }),
      21,
      `${a}${hi}${world}00000006${'0000000000000001'}`,
    ],
    ['setData', setData('/a', 'hi'), 5, `${a}${hi}ffffffff`],
    ['setData of version 0', setData('/a', 'hi', 0), 5, `${a}${hi}00000000`],
    ['setData of nothing', setData('/a', new Uint8Array()), 5, `${a}00000000ffffffff`],
    ['delete', remove('/a', 7), 2, `${a}00000007`],
    ['setAcl', setAcl('/a', anyone, 2), 7, `${a}${world}00000002`],
    [
      'setWatches',
      setWatches({ ...oneShot, persistent: [], recursive: [] }),
      101,
      `${'0000000500000002'}${'00000001'}${a}${'00000000'}${'00000002'}${a}${b}`,
    ],
    [
      'setWatches with lasting ones',
      setWatches({ ...oneShot, persistent: ['/a'], recursive: ['/b'] }),
      105,
      `${'0000000500000002'}${'00000001'}${a}${'00000000'}${'00000002'}${a}${b}${'00000001'}${a}${'00000001'}${b}`,
    ],
    ['addWatch', addWatch('/a', 'persistent'), 106, `${a}00000000`],
    ['addWatch of all below', addWatch('/a', 'recursive'), 106, `${a}00000001`],
    ['removeWatches of children', removeWatches('/a', 'children'), 18, `${a}00000001`],
    ['removeWatches of data', removeWatches('/a', 'data'), 18, `${a}00000002`],
    ['removeWatches of any', removeWatches('/a', 'any'), 18, `${a}00000003`],
    ['ping', ping(), 11, ''],
    ['auth', auth('a', Buffer.from('b')), 100, `${'00000000'}${'00000001'}61${'00000001'}62`],
    ['closeSession', closeSession(), -11, ''],
  ])('%s', (_, request, opcode, body) => {
    const frame = encodeRequest(0x01020304, request).toString('hex')
    const length = (8 + body.length / 2).toString(16).padStart(8, '0')
    const type = (opcode >>> 0).toString(16).padStart(8, '0')
    expect(frame).toBe(`${length}${'01020304'}${type}${body}`)
  })

  it('multi, in which version 0 is a version', () => {
    const changes = multi([
      { kind: 'check', path: '/a', version: 0 },
      { kind: 'create', path: '/a', acl: anyone, ephemeral: true, sequential: true },
      { kind: 'set', path: '/a', data: 'hi', version: 0 },
      { kind: 'set', path: '/a', data: 'hi' },
      { kind: 'delete', path: '/b', version: 0 },
      { kind: 'delete', path: '/b' },
    ])
    const header = (type: string, done = '00'): string => `${type}${done}ffffffff`
    expect([changes.opcode, changes.encode().toString('hex')]).toEqual([
      14,
      [
        `${header('0000000d')}${a}00000000`,
        `${header('00000001')}${a}00000000${world}00000003`,
        `${header('00000005')}${a}${hi}00000000`,
        `${header('00000005')}${a}${hi}ffffffff`,
        `${header('00000002')}${b}00000000`,
        `${header('00000002')}${b}ffffffff`,
        header('ffffffff', '01'),
      ].join(''),
    ])
  })
})

describe('a node that no server can make', () => {
  it.each<[string, Partial<NewNode>, string]>([
    ['an ephemeral one with a time', { kind: 'ephemeral', ttlMs: 1 }, "only a persistent node has a 'ttlMs'"],
    ['a sequential container', { kind: 'container', sequential: true }, 'a container cannot be sequential'],
    ['one without a moment', { ttlMs: 0 }, 'expected whole milliseconds'],
    ['one for part of a millisecond', { ttlMs: 1.5 }, 'expected whole milliseconds'],
    ['one for more than five bytes hold', { ttlMs: 2 ** 40 }, 'expected whole milliseconds'],
  ])('%s is refused before it is sent', (_, part, message) => {
    expect(() => create({ ...node, ...part })).toThrow(message)
  })
})
