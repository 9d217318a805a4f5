import { describe, expect, it } from 'vitest'
import { instanceUri, uriParts, uriTemplate } from '../../src/discovery/instance.ts'
import { instance } from './instances.ts'

describe('the address of an instance', () => {
  it.each([
    ['{scheme}://{address}:{port}', {}, 'http://10.0.0.1:1883'],
    ['{scheme}://{address}:{port}', { sslPort: 8883 }, 'https://10.0.0.1:1883'],
    ['{scheme}://{address}:{port}', { port: undefined, sslPort: 8883 }, 'https://10.0.0.1:8883'],
    ['mqtt://{address}:{ssl-port}/', { sslPort: 8883 }, 'mqtt://10.0.0.1:8883/'],
    ['{scheme}://{address}:{port}', { address: 'fd00::1' }, 'http://[fd00::1]:1883'],
    ['{name}/{ id }?at={registration-time-utc}', {}, 'mqtt/a?at=1000'],
    ['{[}{service-type}{]}', {}, '{dynamic}'],
    ['{nothing-like-it}', {}, ''],
  ])('%s of %j is %s', (uriSpec, what, uri) => {
    expect(instanceUri(instance('a', { uriSpec, ...what }))).toBe(uri)
  })

  it('is that of http unless the instance says how it is written', () => {
    expect(instanceUri(instance('a'))).toBe('http://10.0.0.1:1883')
  })
})

describe('a template', () => {
  it('is taken apart as Curator does', () => {
    expect(uriParts('{scheme}://x')).toEqual([
      { value: 'scheme', variable: true },
      { value: '://x', variable: false },
    ])
  })

  it('keeps a brace without its partner as text', () => {
    expect(instanceUri(instance('a', { uriSpec: 'a}b{c' }))).toBe('a}b{c')
  })

  it('comes back from its parts', () => {
    const template = '{scheme}://{address}:{port}/{[}x{]}'
    expect(uriTemplate(uriParts(template))).toBe(template)
  })
})
