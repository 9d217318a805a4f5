import { describe, expect, it } from 'vitest'
import { formatEndpoint } from '../../src/address/endpoint.ts'
import { type JdbcUrl, parseJdbcUrl, readJdbcFlag } from '../../src/address/jdbc-url.ts'

function hostsOf({ hosts }: JdbcUrl): readonly string[] {
  return hosts.map(({ target, role, column }) => {
    const where = target.kind === 'tcp' ? formatEndpoint(target.endpoint) : target.path
    return `${role} ${where} @${column}`
  })
}

describe('a JDBC URL', () => {
  it.each<[string, string, readonly string[]]>([
    ['jdbc:mariadb://h/db', 'none', ['primary h:3306 @16']],
    ['jdbc:mariadb://H.Example:1', 'none', ['primary h.example:1 @16']],
    ['jdbc:mariadb:sequential://a,b:9/', 'sequential', ['primary a:3306 @27', 'primary b:9 @29']],
    ['jdbc:mariadb:load-balance://a', 'loadbalance', ['primary a:3306 @29']],
    ['jdbc:mariadb:LoadBalance://a', 'loadbalance', ['primary a:3306 @28']],
    ['jdbc:mariadb:failover://a', 'loadbalance', ['primary a:3306 @25']],
    ['jdbc:mariadb:aurora://address=(host=c)(type=replica)', 'aurora', ['replica c:3306 @23']],
    [
      'jdbc:mariadb:replication://a,b,ADDRESS=(HOST=c)(Type=Master)',
      'replication',
      ['primary a:3306 @28', 'replica b:3306 @30', 'primary c:3306 @32'],
    ],
    [
      'jdbc:mariadb:load-balance-read://a,address=(host=[::1])(port=7)(type=slave)',
      'load-balance-read',
      ['primary a:3306 @34', 'replica [::1]:7 @36'],
    ],
    ['jdbc:mariadb://[FE80::1]:7,[::2]', 'none', ['primary [fe80::1]:7 @16', 'primary [::2]:3306 @28']],
    ['jdbc:mariadb://address=(localSocket=/run/a,b?c@d.sock)/db', 'none', ['primary /run/a,b?c@d.sock @16']],
    [
      'jdbc:mariadb:replication://a,address=(host=a)(type=replica)',
      'replication',
      ['primary a:3306 @28', 'replica a:3306 @30'],
    ],
  ])('%s names its hosts', (text, mode, hosts) => {
    const url = parseJdbcUrl(text)
    expect({ mode: url.mode, hosts: hostsOf(url) }).toEqual({ mode, hosts })
  })

  it('keeps the TLS mode of a host, and its column', () => {
    const { hosts } = parseJdbcUrl('jdbc:mariadb://address=(host=a)(sslMode=trust)')
    expect(hosts[0]?.sslMode).toEqual({ text: 'trust', column: 41 })
  })

  it.each<[string, string | undefined]>([
    ['jdbc:mariadb://h', undefined],
    ['jdbc:mariadb://h/', undefined],
    ['jdbc:mariadb://h/?a', undefined],
    ['jdbc:mariadb://h/my%2Fdb', 'my/db'],
    ['jdbc:mariadb://h/a+b/c', 'a+b/c'],
    ['jdbc:mariadb://h/a%2Fb?urlDecoding=false', 'a%2Fb'],
  ])('%s names its database', (text, database) => {
    expect(parseJdbcUrl(text).database).toBe(database)
  })

  it('lists its parameters in order, decoded, with their columns, without its own switches', () => {
    const { parameters } = parseJdbcUrl('jdbc:mysql://h?B=a%26=+&permitMysqlScheme&a&c=')
    expect(parameters).toEqual([
      { name: 'B', value: 'a&=+', column: 16, valueColumn: 18 },
      { name: 'a', value: undefined, column: 43, valueColumn: 43 },
      { name: 'c', value: '', column: 45, valueColumn: 47 },
    ])
  })

  it('leaves values as they stand when decoding is off', () => {
    const { parameters } = parseJdbcUrl('jdbc:mariadb://h?a=%zz&URLDECODING=0')
    expect(parameters.map(({ value }) => value)).toEqual(['%zz'])
  })

  it.each<[string, string]>([
    ['', "column 1: expected 'jdbc:mariadb:', as in jdbc:mariadb://host:3306/database"],
    ['mariadb://h/db', "column 1: expected 'jdbc:mariadb:', as in jdbc:mariadb://host:3306/database"],
    ['JDBC:mariadb://h/db', "column 1: expected 'jdbc:mariadb:' in lower case"],
    ['jdbc:mysql://h/db', "column 1: expected 'jdbc:mariadb:'; for 'jdbc:mysql:' add permitMysqlScheme=true"],
    ['jdbc:mysql://h/db?permitMysqlScheme=no', 'column 37: expected true or false'],
    ['jdbc:mariadb:h/db', "column 14: expected '//' before the hosts"],
    ['jdbc:mariadb:sequential//h', "column 14: expected '//' before the hosts"],
    ['jdbc:mariadb:://h/db', "column 14: expected a mode; without one, write 'jdbc:mariadb://'"],
    [
      'jdbc:mariadb:replicaton://a',
      'column 14: expected one of the modes sequential, loadbalance, load-balance, failover, load-balance-read, ' +
        "replication, aurora; did you mean 'replication'?",
    ],
    ['jdbc:mariadb:///db', 'column 16: expected a host, found nothing'],
    ['jdbc:mariadb:sequential://a,,b', 'column 29: expected a host, found nothing'],
    ['jdbc:mariadb:sequential://a,', 'column 29: expected a host, found nothing'],
    ['jdbc:mariadb:sequential://a,-b', 'column 29: expected a host name or an IP address'],
    ['jdbc:mariadb://:3306', 'column 16: expected a host, found nothing'],
    ['jdbc:mariadb://h:/db', 'column 18: expected a port from 1 to 65535'],
    ['jdbc:mariadb://h:0', 'column 18: expected a port from 1 to 65535'],
    ['jdbc:mariadb://h:3306:9', "column 22: expected the end of the host, found another ':'"],
    ['jdbc:mariadb://2001:db8::1', "column 16: write an IPv6 address in brackets: '[...]'"],
    ['jdbc:mariadb://[::1', "column 16: expected ']' after the IPv6 address"],
    ['jdbc:mariadb://[::1]7', "column 21: expected ':' and a port after ']'"],
    ['jdbc:mariadb://[h]', 'column 16: expected a host name or an IP address'],
    ['jdbc:mariadb://a,b,A:3306', 'column 20: this host is repeated (first at column 16)'],
    [
      'jdbc:mariadb://u:p@h',
      "column 19: write user and password as ?user=...&password=...; any other '@' is %40",
    ],
    [
      'jdbc:mariadb://u:p/q@h',
      "column 21: write user and password as ?user=...&password=...; any other '@' is %40",
    ],
    ['jdbc:mariadb://h/%zz', "column 18: expected UTF-8 in hexadecimal after '%'; a '%' itself is %25"],
    ['jdbc:mariadb://h/a%ff', "column 19: expected UTF-8 in hexadecimal after '%'; a '%' itself is %25"],
  ])('rejects %j and says where', (text, message) => {
    expect(() => parseJdbcUrl(text)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: `url, ${message}` }),
    )
  })

  it.each<[string, string]>([
    ['address=', "column 24: expected '(key=value)'"],
    ['address=host=a', "column 24: expected '(key=value)'"],
    ['address=(host=a)b', "column 32: expected '(key=value)'"],
    ['address=(host=a', "column 24: expected ')' after this '('"],
    ['adress=(host=a)', "column 16: expected 'address=' before '('"],
    [
      'address=(hots=a)',
      "column 25: expected one of the keys host, port, type, sslMode, localSocket; did you mean 'host'?",
    ],
    ['address=(host)', 'column 25: expected host=value'],
    ['address=(host=a)(HOST=b)', 'column 33: host is repeated in this address'],
    ['address=(port=1)', 'column 24: expected host or localSocket in this address'],
    ['address=(host=a)(port=70000)', 'column 38: expected a port from 1 to 65535'],
    [
      'address=(host=a)(type=arbiter)',
      'column 38: expected one of the types primary, master, replica, slave',
    ],
    ['address=(host=a)(localSocket=/s)', 'column 30: host and port have no meaning beside localSocket'],
    ['address=(localSocket=s)', "column 37: expected a path that begins with '/'"],
    ['address=(localSocket=%zz)', "column 37: expected UTF-8 in hexadecimal after '%'; a '%' itself is %25"],
    [
      'address=(host=a)(type=replica)',
      'column 16: expected a primary among the hosts: no host could take writes',
    ],
  ])('rejects the host %j and says where', (host, message) => {
    expect(() => parseJdbcUrl(`jdbc:mariadb://${host}`)).toThrow(
      expect.objectContaining({ message: `url, ${message}` }),
    )
  })

  it.each<[string, string]>([
    ['a=1&&b=2', "column 22: expected name=value; in a value, write '&' as %26 and '%' as %25"],
    ['=1', "column 18: expected name=value; in a value, write '&' as %26 and '%' as %25"],
    ['a b=1', "column 18: expected name=value; in a value, write '&' as %26 and '%' as %25"],
    ['user=a&User=b', 'column 25: this parameter is repeated (first at column 18)'],
    ['a=%zz', "column 20: expected UTF-8 in hexadecimal after '%'; a '%' itself is %25"],
  ])('rejects the parameters %j and says where', (query, message) => {
    expect(() => parseJdbcUrl(`jdbc:mariadb://h?${query}`)).toThrow(
      expect.objectContaining({ message: `url, ${message}` }),
    )
  })
})

it.each<[string | undefined, boolean]>([
  [undefined, true],
  ['true', true],
  ['TRUE', true],
  ['1', true],
  ['false', false],
  ['0', false],
])('a flag of a JDBC URL reads %j as %j', (value, expected) => {
  expect(readJdbcFlag({ value, valueColumn: 1 })).toBe(expected)
})
