import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { curatorCodec, springCodec } from '../../src/discovery/curator-codec.ts'
import type { Instance } from '../../src/discovery/instance.ts'
import { instance } from './instances.ts'

const curator = curatorCodec()

function written(what: Instance, codec = curator): Record<string, unknown> {
  return JSON.parse(String(codec.encode(what)))
}

function read(fields: unknown): Instance | undefined {
  return curator.decode(Buffer.from(JSON.stringify(fields)))
}

const fields = {
  name: 'mqtt',
  id: 'a',
  address: '10.0.0.1',
  port: 1883,
  sslPort: null,
  payload: null,
  registrationTimeUTC: 1_000,
  serviceType: 'DYNAMIC',
  uriSpec: null,
}

describe('what is written', () => {
  it('is what Curator writes', () => {
    expect(written(instance('a'))).toEqual(fields)
  })

  it('has the parts of the address', () => {
    expect(written(instance('a', { uriSpec: '{address}:1' }))['uriSpec']).toEqual({
      parts: [
        { value: 'address', variable: true },
        { value: ':1', variable: false },
      ],
    })
  })

  it('has metadata and payload as one payload', () => {
    const payload = written(instance('a', { metadata: { zone: 'a' }, payload: { weight: 2 } }))['payload']
    expect(payload).toEqual({ weight: 2, metadata: { zone: 'a' } })
  })

  it('says out of service to Spring and to Curator', () => {
    const { payload, enabled } = written(instance('a', { status: 'out-of-service', metadata: { zone: 'a' } }))
    expect({ payload, enabled }).toEqual({
      payload: { metadata: { zone: 'a', instance_status: 'OUT_OF_SERVICE' } },
      enabled: false,
    })
  })

  it('has for Spring the payload that it insists on, also when there is nothing to say', () => {
    expect(written(instance('a'), springCodec())['payload']).toEqual({
      '@class': 'org.springframework.cloud.zookeeper.discovery.ZookeeperInstance',
      id: 'a',
      name: 'mqtt',
      metadata: {},
    })
  })
})

describe('what is read', () => {
  it('is what Curator writes', () => {
    expect(read(fields)).toEqual(instance('a'))
  })

  it('is what Spring writes', () => {
    const payload = {
      '@class': 'org.springframework.cloud.zookeeper.discovery.ZookeeperInstance',
      id: 'application-1',
      name: 'mqtt',
      metadata: { zone: 'a', instance_status: 'UP' },
    }
    expect(read({ ...fields, payload })).toMatchObject({ status: 'up', metadata: { zone: 'a' } })
  })

  it.each([
    ['no status', {}, undefined, 'up'],
    ['an empty status', { instance_status: '' }, undefined, 'up'],
    ['UP', { instance_status: 'UP' }, true, 'up'],
    ['OUT_OF_SERVICE', { instance_status: 'OUT_OF_SERVICE' }, undefined, 'out-of-service'],
    ['a word that we do not know', { instance_status: 'STARTING' }, undefined, 'out-of-service'],
    ['not enabled', {}, false, 'out-of-service'],
    ['UP and not enabled', { instance_status: 'UP' }, false, 'out-of-service'],
  ])('with %s', (_, metadata, enabled, status) => {
    expect(read({ ...fields, payload: { metadata }, enabled })?.status).toBe(status)
  })

  it('keeps a payload of another kind as it is, and ignores fields that it does not know', () => {
    expect(read({ ...fields, payload: 'a text', shoeSize: 43 })?.payload).toBe('a text')
  })

  it('ignores metadata that is no text', () => {
    expect(read({ ...fields, payload: { metadata: { zone: 'a', weight: 2 } } })?.metadata).toEqual({
      zone: 'a',
    })
  })

  it.each([
    ['nothing', ''],
    ['what is not JSON', '10.0.0.1:1883'],
    ['a number', '7'],
    ['a list', '[]'],
    ['null', 'null'],
    ['no id', JSON.stringify({ ...fields, id: undefined })],
    ['an empty name', JSON.stringify({ ...fields, name: '' })],
    ['an address that is no text', JSON.stringify({ ...fields, address: 7 })],
  ])('is no instance for %s', (_, text) => {
    expect(curator.decode(Buffer.from(text))).toBeUndefined()
  })

  it('is an instance or none, and never an error, for whatever bytes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.json().map(Buffer.from)), (bytes) => {
        curator.decode(Buffer.from(bytes))
      }),
    )
  })

  it('is an instance or none, and never an error, for fields of any kind', () => {
    const strange = fc.record(
      {
        name: fc.jsonValue(),
        id: fc.jsonValue(),
        address: fc.jsonValue(),
        port: fc.jsonValue(),
        payload: fc.oneof(fc.jsonValue(), fc.record({ metadata: fc.jsonValue() })),
        uriSpec: fc.oneof(fc.jsonValue(), fc.record({ parts: fc.jsonValue() })),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(strange, (what) => {
        read({ ...fields, ...what })
      }),
    )
  })

  it('is what was written', () => {
    const name = fc.string({ minLength: 1 })
    const key = name.filter((text) => !['instance_status', 'metadata', '__proto__'].includes(text))
    const any: fc.Arbitrary<Instance> = fc.record({
      id: name,
      name,
      address: fc.string(),
      port: fc.option(fc.nat(65_535), { nil: undefined }),
      sslPort: fc.option(fc.nat(65_535), { nil: undefined }),
      status: fc.constantFrom('up', 'out-of-service'),
      metadata: fc.dictionary(key, fc.string()),
      payload: fc.option(fc.dictionary(key, fc.nat(), { minKeys: 1 }), { nil: undefined }),
      uriSpec: fc.constantFrom(undefined, '{scheme}://{address}:{port}'),
      registeredAtMs: fc.nat(),
    })
    fc.assert(
      fc.property(any, (what) => {
        expect(curator.decode(Buffer.from(curator.encode(what)))).toEqual(what)
      }),
    )
  })
})
