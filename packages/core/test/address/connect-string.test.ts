import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseConnectString } from '../../src/address/connect-string.ts'
import { type Endpoint, formatEndpoint } from '../../src/address/endpoint.ts'

describe('a ZooKeeper connect string', () => {
  it.each<[string, readonly string[], string]>([
    ['zk1', ['zk1:2181'], ''],
    ['zk1:2182,zk2', ['zk1:2182', 'zk2:2181'], ''],
    ['zk1:2181, [::1]:2181,zk3/app/x', ['zk1:2181', '[::1]:2181', 'zk3:2181'], '/app/x'],
    [' ZK1.Example.ORG , zk2:1 ', ['zk1.example.org:2181', 'zk2:1'], ''],
    ['[2001:DB8::1]/a', ['[2001:db8::1]:2181'], '/a'],
    ['zk1,zk2:2181,ZK1:2181,zk2', ['zk1:2181', 'zk2:2181'], ''],
    ['zk1/', ['zk1:2181'], ''],
    ['zk1/app/', ['zk1:2181'], '/app'],
    ['zk1 /app ', ['zk1:2181'], '/app'],
    ['zk1/ä b/.c', ['zk1:2181'], '/ä b/.c'],
  ])('reads %j', (text, endpoints, chroot) => {
    const read = parseConnectString(text)
    expect([read.endpoints.map(formatEndpoint), read.chroot]).toEqual([endpoints, chroot])
  })

  it.each<[string, string]>([
    ['', 'connect, column 1: expected a host, found nothing'],
    ['/app', 'connect, column 1: expected a host, found nothing'],
    ['zk1,,zk2', 'connect, column 5: expected a host, found nothing'],
    ['zk1:2181,', 'connect, column 10: expected a host, found nothing'],
    ['zk1, zk2:0', "connect, column 6: port '0' is not a number from 1 to 65535"],
    ['zk1:65536', "connect, column 1: port '65536' is not a number from 1 to 65535"],
    ['zk1:', "connect, column 1: port '' is not a number from 1 to 65535"],
    ['zk1,2001:db8::1', 'connect, column 5: write an IPv6 address in brackets: [2001:db8::1]:2181'],
    ['zk1,-zk2', "connect, column 5: '-zk2' is not a host name or an IP address"],
    ['zk1:2181;zk2', "connect, column 9: expected ',' between two hosts, found ';'"],
    ['zk1, zk2 zk3', "connect, column 9: expected ',' between two hosts, found ' '"],
    [
      'zk1/a,zk2',
      "connect, column 6: expected the end of the chroot, found ','; write it once, after the last host",
    ],
    ['zk1/a//b', "connect, column 7: expected a name of a node, found another '/'"],
    ['zk1//', "connect, column 5: expected a name of a node, found another '/'"],
    ['zk1/a/../b', "connect, column 7: expected a name of a node, found '..': paths are absolute"],
    [
      'zk1/a/b\u0007',
      'connect, column 7: expected a name of a node, found a character that no path may contain',
    ],
  ])('rejects %j and says where', (text, message) => {
    expect(() => parseConnectString(text)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message }),
    )
  })

  it('is called what the user called it', () => {
    expect(() => parseConnectString('', 'zookeeper.connect')).toThrow('zookeeper.connect, column 1')
  })

  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/)
  const host = fc.oneof(
    fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
    fc.ipV4(),
    fc.ipV6(),
  )
  const endpoint: fc.Arbitrary<Endpoint> = fc.record({ host, port: fc.integer({ min: 1, max: 65_535 }) })
  const chroot = fc.array(fc.stringMatching(/^[a-zA-Z0-9_-]{1,8}$/), { maxLength: 4 })

  it('reads back whatever is written, each host once', () => {
    const hosts = fc.array(endpoint, { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(hosts, chroot, fc.constantFrom('', '/'), (endpoints, names, end) => {
        const path = names.map((name) => `/${name}`).join('')
        const read = parseConnectString(`${endpoints.map(formatEndpoint).join(' , ')}${path}${end}`)
        expect(read.chroot).toBe(path)
        expect(read.endpoints.map(formatEndpoint)).toEqual([...new Set(endpoints.map(formatEndpoint))])
      }),
    )
  })

  it('is read, or is config-invalid with a place', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[zk1:,;/ [\].@]{0,20}$/))
    fc.assert(
      fc.property(text, (written) => {
        try {
          expect(parseConnectString(written).endpoints.length).toBeGreaterThan(0)
        } catch (error) {
          expect(error).toMatchObject({
            code: 'config-invalid',
            message: expect.stringMatching(/^connect[,:] /),
          })
        }
      }),
      { numRuns: 500 },
    )
  })

  it('never repeats a login', () => {
    const secret = fc.string({ unit: 'binary-ascii', minLength: 3 }).map((text) => `Zq${text}`)
    const form = fc.constantFrom('zk://U:P@zk1', 'U:P@zk1/app', 'zk1,U:P@zk2', 'digest:U:P@zk1')
    fc.assert(
      fc.property(secret, secret, form, (user, password, shape) => {
        const written = shape.replace('U', () => user).replace('P', () => password)
        expect(messageOf(() => parseConnectString(written))).not.toContain('Zq')
      }),
      { numRuns: 1_000 },
    )
  })
})

function messageOf(act: () => unknown): string {
  try {
    return `nothing was thrown: ${JSON.stringify(act())}`
  } catch (error) {
    return String(error)
  }
}
