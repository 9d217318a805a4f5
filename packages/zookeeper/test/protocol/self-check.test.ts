import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { checkJute } from '../../src/protocol/jute.ts'

const require = createRequire(import.meta.url)
const real: Jute = require('node-zookeeper-client/lib/jute')

interface Jute {
  readonly protocol: Readonly<Record<string, new () => object>>
  readonly data: Readonly<Record<string, new () => object>>
}

const expected = /node-zookeeper-client 1\.1\.3 was expected and 1\.2\.0 found/

describe('the package below', () => {
  it('is the one that we know', () => {
    expect(checkJute(real, '1.1.3').protocol).toBe(real.protocol)
  })

  it.each<[string, unknown, RegExp]>([
    ['is not there', undefined, /there is no record data\.Id/],
    [
      'has lost a record',
      { ...real, protocol: { ...real.protocol, SetWatches: undefined } },
      /no record protocol\.SetWatches/,
    ],
    [
      'has other fields',
      { ...real, protocol: { ...real.protocol, GetDataRequest: real.protocol['GetACLRequest'] } },
      /protocol\.GetDataRequest is \(path ustring\) and not \(path ustring, watch boolean\)/,
    ],
    ['has records of another make', { ...real, data: { ...real.data, Id: class {} } }, /cannot be created/],
    [
      'writes other bytes',
      { ...real, protocol: { ...real.protocol, GetDataRequest: withOtherBytes() } },
      /getData\('\/a'\) is written as 02000/,
    ],
  ])('that %s is refused, with what has changed and what to install', (_, jute, problem) => {
    const check = (): unknown => checkJute(jute, '1.2.0')
    expect(check).toThrow(expected)
    expect(check).toThrow(problem)
    expect(check).toThrow(
      expect.objectContaining({ code: 'internal', message: expect.stringContaining('Install 1.1.3') }),
    )
  })
})

function withOtherBytes(): unknown {
  const GetDataRequest = real.protocol['GetDataRequest'] as new (...values: readonly unknown[]) => Written
  return class extends GetDataRequest {
    override serialize(buffer: Buffer, offset: number): number {
      const size = super.serialize(buffer, offset)
      buffer.subarray(offset, offset + 4).reverse()
      return size
    }
  }
}

interface Written {
  serialize(buffer: Buffer, offset: number): number
}
