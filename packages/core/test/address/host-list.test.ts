import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Endpoint, formatEndpoint } from '../../src/address/endpoint.ts'
import { checkEndpoint, parseHostList } from '../../src/address/host-list.ts'

const style = { defaultPort: 5672, where: 'addresses' }

describe('a list of hosts', () => {
  it.each<[string, readonly string[]]>([
    ['n1', ['n1:5672']],
    ['n1:5673,n2', ['n1:5673', 'n2:5672']],
    [' n1:5672 , n2:5672 ', ['n1:5672', 'n2:5672']],
    ['N1.Example.ORG:1', ['n1.example.org:1']],
    ['192.0.2.7:5671', ['192.0.2.7:5671']],
    ['[2001:DB8::1],[::1]:9', ['[2001:db8::1]:5672', '[::1]:9']],
    ['my_host-1:80', ['my_host-1:80']],
  ])('reads %j', (text, expected) => {
    expect(parseHostList(text, style).map(formatEndpoint)).toEqual(expected)
  })

  it.each<[string, string]>([
    ['', 'addresses, column 1: expected a host, found nothing'],
    ['n1,,n2', 'addresses, column 4: expected a host, found nothing'],
    ['n1:5672,', 'addresses, column 9: expected a host, found nothing'],
    ['n1:567x', "addresses, column 1: port '567x' is not a number from 1 to 65535"],
    ['n1, n2:0', "addresses, column 5: port '0' is not a number from 1 to 65535"],
    ['n1:70000', "addresses, column 1: port '70000' is not a number from 1 to 65535"],
    ['n1:', "addresses, column 1: port '' is not a number from 1 to 65535"],
    [':5672', 'addresses, column 1: expected a host before the port'],
    ['2001:db8::1', 'addresses, column 1: write an IPv6 address in brackets: [2001:db8::1]:5672'],
    ['[2001:db8::g]:1', "addresses, column 1: '2001:db8::g' is not an IPv6 address"],
    ['[::1', "addresses, column 1: expected [IPv6]:port, got '[::1'"],
    ['n 1', "addresses, column 1: 'n 1' is not a host name or an IP address"],
    ['-n1', "addresses, column 1: '-n1' is not a host name or an IP address"],
    ['n1, n2,N1:5672', 'addresses, column 8: n1:5672 is repeated (first at column 1)'],
  ])('rejects %j and says where', (text, message) => {
    expect(() => parseHostList(text, style)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message }),
    )
  })

  it.each([
    'amqp://user:secret@n1:5672',
    'amqps://user:sec,ret@n1:5672/vhost',
    'secret@n1',
    'n1,user:secret@n2',
    'http://secret:5672',
  ])('refuses %j as a URL and repeats nothing of it', (text) => {
    const message = 'addresses: expected host:port, without scheme, user or password'
    expect(() => parseHostList(text, style)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message }),
    )
    expect(() => checkEndpoint(text, 'addresses', 5672)).toThrow(message)
    expect(() => checkEndpoint({ host: text }, 'addresses', 5672)).toThrow(
      message.replace('addresses', 'addresses.host'),
    )
  })

  it('repeats nothing that has too many colons and is no IPv6 address', () => {
    expect(() => parseHostList('amqp:user:secret', style)).toThrow(
      expect.objectContaining({
        message: 'addresses, column 1: expected host:port, found more than one colon',
      }),
    )
  })

  it('never repeats what stands between :// and @', () => {
    const secret = fc.string({ unit: 'binary-ascii', minLength: 3 }).map((text) => `Zq${text}`)
    const read: ((text: string) => unknown)[] = [
      (text) => parseHostList(text, style),
      (text) => parseHostList(`n1:5672, ${text}`, style),
      (text) => checkEndpoint(text, 'addresses[0]', 5672),
      (text) => checkEndpoint({ host: text }, 'addresses[0]', 5672),
    ]
    fc.assert(
      fc.property(secret, secret, fc.constantFrom(...read), (user, password, reader) => {
        const message = messageOf(() => reader(`amqp://${user}:${password}@n1:5672`))
        expect(message).not.toContain('Zq')
        for (const piece of `${user}:${password}`.split(/[,:\s]/).filter(({ length }) => length > 3)) {
          expect(message).not.toContain(piece)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('counts columns in what the user wrote', () => {
    expect(() => parseHostList('n1,n1', { ...style, offset: 7 })).toThrow('column 11')
  })

  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/)
  const host = fc.oneof(
    fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
    fc.ipV4(),
    fc.ipV6(),
  )
  const endpoint: fc.Arbitrary<Endpoint> = fc.record({ host, port: fc.integer({ min: 1, max: 65_535 }) })

  it('reads back whatever it writes', () => {
    const distinct = fc.uniqueArray(endpoint, { minLength: 1, selector: formatEndpoint })
    fc.assert(
      fc.property(distinct, (endpoints) => {
        expect(parseHostList(endpoints.map(formatEndpoint).join(' , '), style)).toEqual(endpoints)
      }),
    )
  })

  it('either reads a text or rejects it as config-invalid', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          expect(parseHostList(text, style).length).toBeGreaterThan(0)
        } catch (error) {
          expect(error).toMatchObject({ code: 'config-invalid' })
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('an endpoint from elsewhere', () => {
  it.each<[unknown, string]>([
    ['n1', 'n1:5672'],
    [{ host: 'N1' }, 'n1:5672'],
    [{ host: '::1', port: 7 }, '[::1]:7'],
    [{ host: '[::1]', port: 7 }, '[::1]:7'],
  ])('reads %j', (value, expected) => {
    expect(formatEndpoint(checkEndpoint(value, 'addresses[0]', 5672))).toBe(expected)
  })

  it.each<[unknown, string]>([
    [undefined, 'addresses[0].host: expected a host name'],
    [{ host: '' }, 'addresses[0].host: expected a host name'],
    [{ host: 'n1', port: '5672' }, 'addresses[0].port: expected a number'],
    [{ host: 'n1:5672' }, "addresses[0].host: 'n1:5672' is not a host name"],
    ['n1,n2', 'addresses[0]: expected one address, got 2'],
  ])('rejects %j and says where', (value, message) => {
    expect(() => checkEndpoint(value, 'addresses[0]', 5672)).toThrow(message)
  })
})

function messageOf(act: () => unknown): string {
  try {
    return `nothing was thrown: ${JSON.stringify(act())}`
  } catch (error) {
    return String(error)
  }
}
