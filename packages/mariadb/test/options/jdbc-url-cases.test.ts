import { formatEndpoint } from '@ha/core'
import { describe, expect, it } from 'vitest'
import { resolveMariadbOptions } from '../../src/options/options.ts'
import type { ResolvedOptions } from '../../src/options/resolved-options.ts'

function hostsOf({ hosts }: ResolvedOptions): readonly string[] {
  return hosts.map(({ endpoint, role, tls }) => `${role} ${formatEndpoint(endpoint)} ${tls.mode}`)
}

describe('the URLs that the grammar accepts', () => {
  it.each<[string, string, readonly string[], Partial<ResolvedOptions>]>([
    ['jdbc:mariadb://h/db', 'none', ['primary h:3306 off'], { database: 'db', warnings: [] }],
    [
      'jdbc:mariadb:sequential://host1:3306,host2:3306/db?autoReconnect=true',
      'sequential',
      ['primary host1:3306 off', 'primary host2:3306 off'],
      { database: 'db', warnings: [] },
    ],
    [
      'jdbc:mariadb:loadbalance://a,b,c/db',
      'loadbalance',
      ['primary a:3306 off', 'primary b:3306 off', 'primary c:3306 off'],
      { database: 'db' },
    ],
    [
      'jdbc:mariadb:load-balance://a,b/',
      'loadbalance',
      ['primary a:3306 off', 'primary b:3306 off'],
      { database: undefined },
    ],
    [
      'jdbc:mariadb:FAILOVER://a,b/db',
      'loadbalance',
      ['primary a:3306 off', 'primary b:3306 off'],
      { database: 'db' },
    ],
    [
      'jdbc:mariadb:replication://p,r1,r2/db',
      'replication',
      ['primary p:3306 off', 'replica r1:3306 off', 'replica r2:3306 off'],
      { database: 'db' },
    ],
    [
      'jdbc:mariadb:load-balance-read://p1,p2,address=(host=r1)(type=replica)/db',
      'load-balance-read',
      ['primary p1:3306 off', 'primary p2:3306 off', 'replica r1:3306 off'],
      { database: 'db' },
    ],
    [
      'jdbc:mariadb:replication://address=(type=slave)(host=r),address=(host=p)(port=3307)(type=master)/db',
      'replication',
      ['replica r:3306 off', 'primary p:3307 off'],
      { database: 'db' },
    ],
    [
      'jdbc:mariadb:sequential://[2001:db8::1]:3307,[::1]/db',
      'sequential',
      ['primary [2001:db8::1]:3307 off', 'primary [::1]:3306 off'],
      { database: 'db' },
    ],
    [
      'jdbc:mariadb://address=(localSocket=/run/mysqld/mysqld.sock)/db',
      'none',
      ['primary /run/mysqld/mysqld.sock:0 off'],
      { database: 'db' },
    ],
    [
      'jdbc:mariadb:aurora://c.cluster-x.eu-west-1.rds.amazonaws.com/db',
      'aurora',
      ['primary c.cluster-x.eu-west-1.rds.amazonaws.com:3306 off'],
      { database: 'db' },
    ],
    ['jdbc:mariadb://h?user=u&password=a%26b%3D', 'none', ['primary h:3306 off'], { username: 'u' }],
    [
      'jdbc:mariadb://h/my%2Fdb?sslMode=VERIFY_IDENTITY&tcpKeepAlive=1',
      'none',
      ['primary h:3306 verify-full'],
      { database: 'my/db', warnings: [] },
    ],
    ['jdbc:mariadb://h/db?', 'none', ['primary h:3306 off'], { database: 'db' }],
    [
      'jdbc:mariadb:sequential://a,address=(host=b)(sslMode=disable)/db?sslMode=verify-full&allowPublicKeyRetrieval',
      'sequential',
      ['primary a:3306 verify-full', 'primary b:3306 off'],
      {
        warnings: [
          'url, column 86, allowPublicKeyRetrieval: ignored: public keys are never retrieved: use TLS where a login needs one',
        ],
      },
    ],
  ])('%s', (url, mode, hosts, rest) => {
    const resolved = resolveMariadbOptions(url)
    expect({ mode: resolved.mode, hosts: hostsOf(resolved) }).toEqual({ mode, hosts })
    expect(resolved).toMatchObject(rest)
  })

  it('decode a password', async () => {
    const { password } = resolveMariadbOptions('jdbc:mariadb://h?user=u&password=a%26b%3D')
    expect(await password()).toBe('a&b=')
  })
})

describe('the URLs that the grammar rejects', () => {
  it.each<[string, string]>([
    ['JDBC:mariadb://h/db', "column 1: expected 'jdbc:mariadb:' in lower case"],
    ['jdbc:mysql://h/db', "column 1: expected 'jdbc:mariadb:'; for 'jdbc:mysql:' add permitMysqlScheme=true"],
    ['jdbc:mariadb:h/db', "column 14: expected '//' before the hosts"],
    ['jdbc:mariadb:roundrobin://a,b/db', 'column 14: expected one of the modes sequential, loadbalance,'],
    ['jdbc:mariadb:://h/db', "column 14: expected a mode; without one, write 'jdbc:mariadb://'"],
    ['jdbc:mariadb:///db', 'column 16: expected a host, found nothing'],
    ['jdbc:mariadb:sequential://a,,b/db', 'column 29: expected a host, found nothing'],
    ['jdbc:mariadb://h:/db', 'column 18: expected a port from 1 to 65535'],
    ['jdbc:mariadb://h:70000/db', 'column 18: expected a port from 1 to 65535'],
    ['jdbc:mariadb://h:-1/db', 'column 18: expected a port from 1 to 65535'],
    ['jdbc:mariadb://h:33x/db', 'column 18: expected a port from 1 to 65535'],
    ['jdbc:mariadb://h:3306:9/db', "column 22: expected the end of the host, found another ':'"],
    [
      'jdbc:mariadb:replication://address=(host=a)(type=arbiter)/db',
      'column 50: expected one of the types primary, master, replica, slave',
    ],
    [
      'jdbc:mariadb:replication://address=(hots=a)/db',
      "column 37: expected one of the keys host, port, type, sslMode, localSocket; did you mean 'host'?",
    ],
    ['jdbc:mariadb:replication://address=(host=a/db', "column 36: expected ')' after this '('"],
    [
      'jdbc:mariadb:replication://address=(host=a)(type=replica),address=(host=b)(type=replica)/db',
      'column 28: expected a primary among the hosts: no host could take writes',
    ],
    ['jdbc:mariadb://u:p@h/db', 'column 19: write user and password as ?user=...&password=...'],
    [
      'jdbc:mariadb://h/db?connectTimeout=2s',
      'column 21, connectTimeout: expected a whole number of milliseconds',
    ],
    ['jdbc:mariadb://h/db?tcpKeepAlive=yes', 'column 21, tcpKeepAlive: expected true or false'],
    [
      'jdbc:mariadb://h/db?conectTimeout=1',
      "column 21: there is no such option; did you mean 'connectTimeout'?",
    ],
    ['jdbc:mariadb://h/db?user=a&user=b', 'column 28: this parameter is repeated (first at column 21)'],
    ['jdbc:mariadb://h/db?password=%zz', "column 30: expected UTF-8 in hexadecimal after '%'"],
  ])('%s', (url, message) => {
    expect(() => resolveMariadbOptions(url)).toThrow(
      expect.objectContaining({
        code: 'config-invalid',
        message: expect.stringContaining(`url, ${message}`),
      }),
    )
  })
})

describe('the URLs of other clients of Node', () => {
  it.each([
    ['mysql://u:p@h:3307/db', ['primary h:3307 off'], { username: 'u', database: 'db' }],
    ['mariadb://u:a%40b%3A%2F@a,b:3307/db', ['primary a:3306 off', 'primary b:3307 off'], { database: 'db' }],
    [
      'mysql://u@[::1]/db?connectionLimit=5&connectTimeout=500',
      ['primary [::1]:3306 off'],
      { username: 'u' },
    ],
    ['mariadb://h', ['primary h:3306 off'], { username: 'root', database: undefined }],
    ['mysql://h/db?ssl=true&charset=utf8mb4&timezone=Z', ['primary h:3306 verify-full'], {}],
  ])('are read: %s', (url, hosts, rest) => {
    const options = resolveMariadbOptions(url)
    expect(hostsOf(options)).toEqual(hosts)
    expect(options).toMatchObject(rest)
  })

  it('give their password decoded', async () => {
    expect(await resolveMariadbOptions('mariadb://u:a%40b%3A%2F:c@h/db').password()).toBe('a@b:/:c')
  })

  it.each([
    ['mysql://u:secret@h/db?conectionLimit=5', "did you mean 'connectionLimit'?"],
    ['mysql://u:secret%zz@h/db', 'in user and password as %2F'],
    ['mysql://u:sec/ret@h/db', 'in user and password as %2F'],
    ['mysql:///db', 'expected a host'],
    ['mysql://u:secret@h/db?timezone=local', 'the local zone differs between machines'],
  ])('are refused without their secrets: %s', (url, problem) => {
    const read = (): unknown => resolveMariadbOptions(url)
    expect(read).toThrow(problem)
    expect(read).not.toThrow(/sec/)
  })
})
