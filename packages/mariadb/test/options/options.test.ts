import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { socketPathOf } from '../../src/options/hosts.ts'
import { type MariadbOptions, resolveMariadbOptions } from '../../src/options/options.ts'
import type { ResolvedOptions } from '../../src/options/resolved-options.ts'

describe('the options of a client', () => {
  it('are all there when only hosts are given', () => {
    const { password, ...rest } = resolveMariadbOptions({ hosts: 'a' })
    expect(rest).toEqual({
      mode: 'sequential',
      hosts: [{ endpoint: { host: 'a', port: 3306 }, role: 'primary', tls: { mode: 'off', options: {} } }],
      database: undefined,
      username: 'root',
      name: '@ha/mariadb',
      timeoutMs: 30_000,
      pool: {
        maximumSize: 10,
        minimumIdle: 2,
        idleTimeoutMs: 600_000,
        maxLifetimeMs: 1_800_000,
        keepaliveMs: 120_000,
        validationTimeoutMs: 5_000,
        leakDetectionMs: 0,
        connectTimeoutMs: 2_000,
        parallelConnects: 2,
        acquireTimeoutMs: 30_000,
        maxWaiting: 10_000,
      },
      monitor: { intervalMs: 1_000, timeoutMs: 500, downAfter: 2, slowQueryMs: 200 },
      galera: 'auto',
      donor: 'last-resort',
      failBack: { afterMs: 30_000 },
      maxLagMs: 10_000,
      consistency: 'eventual',
      retry: { attempts: 5, baseMs: 20, maxMs: 1_000 },
      session: { isolation: undefined, timeZone: '+00:00', variables: {}, initSql: [] },
      timeZoneGiven: false,
      results: { bigint: 'auto', dates: 'date', json: 'parsed' },
      commitLog: undefined,
      warnings: [],
    })
  })

  it('take the former name of commitLog, with a warning', () => {
    const { commitLog, warnings } = resolveMariadbOptions({ hosts: 'a', ledger: { table: 'x.y' } })
    expect(commitLog?.table).toBe('x.y')
    expect(warnings).toEqual([expect.stringContaining('mariadb.ledger: the option is called commitLog now')])
    expect(() => resolveMariadbOptions({ hosts: 'a', ledger: true, commitLog: true })).toThrow(
      'write only commitLog',
    )
  })

  it('are frozen through and through', () => {
    const resolved = resolveMariadbOptions({ hosts: [{ host: 'a', tls: 'trust' }], commitLog: true })
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen))
    expect(frozen(resolved)).toBe(true)
  })

  it.each<[MariadbOptions, Partial<ResolvedOptions>]>([
    [
      { hosts: 'p,[::1]:7', mode: 'replication' },
      {
        hosts: [
          { endpoint: { host: 'p', port: 3306 }, role: 'primary', tls: { mode: 'off', options: {} } },
          { endpoint: { host: '::1', port: 7 }, role: 'replica', tls: { mode: 'off', options: {} } },
        ],
      },
    ],
    [{ hosts: 'a', pool: { maximumSize: 1 } }, { pool: expect.objectContaining({ minimumIdle: 1 }) }],
    [
      { hosts: 'a', commitLog: true },
      { commitLog: { table: 'ha_ledger', create: false, keepMs: 604_800_000 } },
    ],
    [{ hosts: 'a', commitLog: { table: 'x.y' } }, { commitLog: expect.objectContaining({ table: 'x.y' }) }],
    [{ hosts: 'a', commitLog: false }, { commitLog: undefined }],
    [{ hosts: 'a', failBack: { afterMs: Number.POSITIVE_INFINITY } }, { failBack: { afterMs: Infinity } }],
    [
      { hosts: 'a', session: { isolation: 'serializable', timeZone: 'Europe/Berlin' } },
      { session: expect.objectContaining({ isolation: 'serializable', timeZone: 'Europe/Berlin' }) },
    ],
    [
      { hosts: 'a', session: { variables: { wsrep_sync_wait: 1 }, initSql: ['SET @a = 1'] } },
      { session: expect.objectContaining({ variables: { wsrep_sync_wait: 1 }, initSql: ['SET @a = 1'] }) },
    ],
    ...[
      "SET @a = ', autocommit = 0'",
      'SET @autocommit = 0',
      'BEGIN NOT ATOMIC DO 1; END',
      'SELECT 1, 2',
    ].map((sql): [MariadbOptions, object] => [
      { hosts: 'a', session: { initSql: [sql] } },
      { session: expect.objectContaining({ initSql: [sql] }) },
    ]),
  ])('take %j', (input, expected) => {
    expect(resolveMariadbOptions(input)).toMatchObject(expected)
  })

  it('know a local socket by its path', () => {
    const { hosts } = resolveMariadbOptions({ hosts: [{ socketPath: '/run/m.sock' }, 'a'] })
    expect(hosts.map(({ endpoint }) => socketPathOf(endpoint))).toEqual(['/run/m.sock', undefined])
  })

  it('make one primary of a host that is both', () => {
    const { hosts } = resolveMariadbOptions('jdbc:mariadb:replication://a,b,address=(host=a)(type=replica)')
    expect(hosts.map(({ endpoint, role }) => `${role} ${endpoint.host}`)).toEqual(['primary a', 'replica b'])
  })

  it('stand beside a URL and count before it, where they say anything', () => {
    const url = 'jdbc:mariadb://h/db?user=u&maxPoolSize=4&maxIdleTime=60'
    const beside = { username: undefined, database: 'own', pool: { maximumSize: 5 } } as object
    expect(resolveMariadbOptions(url, beside)).toMatchObject({
      username: 'u',
      database: 'own',
      pool: { maximumSize: 5, idleTimeoutMs: 60_000 },
    })
  })

  it('ask a function for the password, each time', async () => {
    let asked = 0
    const { password } = resolveMariadbOptions({ hosts: 'a', password: async () => `p${++asked}` })
    expect([await password(), await password()]).toEqual(['p1', 'p2'])
  })

  it('refuse what a function gives that is no password', async () => {
    const { password } = resolveMariadbOptions({ hosts: 'a', password: (() => 7) as never })
    await expect(password()).rejects.toThrow('mariadb.password(): expected text, got a number')
  })

  it.each<[unknown, string]>([
    [7, 'mariadb: expected a JDBC URL or an object of options'],
    [{}, "mariadb.hosts: expected 'host:port,host:port', or a list of at least one host"],
    [{ hosts: [] }, "mariadb.hosts: expected 'host:port,host:port', or a list of at least one host"],
    [{ hosts: 'a,a' }, 'mariadb.hosts, column 3: a:3306 is repeated'],
    [{ hosts: ['a', { host: 'A' }] }, 'mariadb.hosts: a:3306 is listed twice'],
    [{ hosts: [{ host: 'a', prot: 1 }] }, 'mariadb.hosts[0]: expected only host, port, role and tls'],
    [{ hosts: [{ host: 'a', role: 'master' }] }, "mariadb.hosts[0].role: expected 'primary' or 'replica'"],
    [
      { hosts: [{ socketPath: 'm.sock' }] },
      "mariadb.hosts[0].socketPath: expected a path that begins with '/'",
    ],
    [{ hosts: [{ host: 'a', role: 'replica' }] }, 'mariadb.hosts: expected at least one primary'],
    [{ url: 7 }, 'mariadb.url: expected text, got a number'],
    [{ url: 'jdbc:mariadb://h', hosts: 'a' }, 'mariadb.hosts: the URL already contains it'],
    [{ url: 'jdbc:mariadb://h', mode: 'none' }, 'mariadb.mode: the URL already contains it'],
    [
      { url: 'jdbc:mariadb://h', hikari: { jdbcUrl: 'jdbc:mariadb://h' } },
      'mariadb.hikari: both url and jdbc-url are given: write only one of them',
    ],
    [{ hosts: 'a', mode: 'sequental' }, "got 'sequental'; did you mean 'sequential'?"],
    [{ hosts: 'a', timeoutMS: 5 }, "mariadb.timeoutMS: there is no such option; did you mean 'timeoutMs'?"],
    [
      { hosts: 'a', pool: { minimumIdle: 11 } },
      'mariadb.pool.minimumIdle: expected at most maximumSize, which is 10',
    ],
    [
      { hosts: 'a', pool: { validationTimeoutMs: 500, acquireTimeoutMs: 500 } },
      'mariadb.pool.validationTimeoutMs: expected less than acquireTimeoutMs, which is 500',
    ],
    [{ hosts: 'a', pool: { maximumSize: '5' } }, "from 1 to 10000, got '5'"],
    [{ hosts: 'a', tls: 'on' }, 'mariadb.tls: expected one of off, trust, verify-ca, verify-full'],
    [{ hosts: 'a', tls: { ca: 'x' } }, 'mariadb.tls: expected true, false, one of off, trust'],
    [{ hosts: 'a', session: { timeZone: 'Mars' } }, "mariadb.session.timeZone: expected 'server', an offset"],
    [{ hosts: 'a', session: { variables: { time_zone: 'x' } } }, 'use the option session.timeZone'],
    ...[
      'AutoCommit',
      'completion_type',
      'tx_read_only',
      'transaction_read_only',
      'sql_log_bin',
      'wsrep_on',
    ].map((name): [unknown, string] => [
      { hosts: 'a', session: { variables: { [name]: 0 } } },
      `mariadb.session.variables: ${name.toLowerCase()} cannot be set here`,
    ]),
    ...[
      'SET autocommit=0',
      'set session autocommit = off',
      "SET sql_mode='a,b', @@session.autocommit := 0",
      'SET SESSION `sql_log_bin`=0',
    ].map((sql): [unknown, string] => [
      { hosts: 'a', session: { initSql: ['DO 1', sql] } },
      'mariadb.session.initSql: ',
    ]),
    [
      { hosts: 'a', session: { initSql: 'START TRANSACTION READ ONLY' } },
      'mariadb.session.initSql: an open transaction',
    ],
    [{ hosts: 'a', session: { variables: { '@@a': 1 } } }, 'expected names of session variables'],
    [
      { hosts: 'a', session: { variables: { a: [] } } },
      'mariadb.session.variables.a: expected text, a finite',
    ],
    [{ hosts: 'a', session: { initSql: [' '] } }, 'mariadb.session.initSql: expected a statement'],
    [
      { hosts: 'a', commitLog: { table: 'a; drop' } },
      'mariadb.commitLog.table: expected the plain name of a table',
    ],
  ])('reject %j and say where', (input, message) => {
    expect(() => resolveMariadbOptions(input as MariadbOptions)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(message) }),
    )
  })

  it('name everything that is wrong at once', () => {
    const input = { hosts: 'a:x', timeoutMs: 0, galera: 'yes' } as unknown as MariadbOptions
    const lines = expect.stringMatching(/^mariadb\.hosts.*\nmariadb\.timeoutMs.*\nmariadb\.galera.*$/)
    expect(() => resolveMariadbOptions(input)).toThrow(expect.objectContaining({ message: lines }))
  })
})

describe('TLS', () => {
  const modeOf = ({ hosts }: ResolvedOptions) => hosts.map(({ tls }) => tls)

  it('trusts any certificate, checks its authority, or checks its name too', () => {
    const hosts = (['trust', 'verify-ca', 'verify-full'] as const).map((tls) => ({ host: tls, tls }))
    const [trust, ca, full] = modeOf(resolveMariadbOptions({ hosts }))
    expect(trust?.options).toEqual({ rejectUnauthorized: false })
    expect(ca?.options.checkServerIdentity?.('h', {} as never)).toBeUndefined()
    expect(full?.options).toEqual({ rejectUnauthorized: true })
  })

  it('of a host takes the options of the client, and its own mode', () => {
    const hosts = ['a', { host: 'b', tls: 'verify-full' as const }, { host: 'c', tls: false }]
    const tls = modeOf(resolveMariadbOptions({ hosts, tls: { mode: 'trust', options: { ca: 'CA' } } }))
    expect(tls).toEqual([
      { mode: 'trust', options: { ca: 'CA', rejectUnauthorized: false } },
      { mode: 'verify-full', options: { ca: 'CA', rejectUnauthorized: true } },
      { mode: 'off', options: {} },
    ])
  })

  it('is what the mode says, whatever the options say beside it', () => {
    const tls = { mode: 'verify-full' as const, options: { rejectUnauthorized: false } }
    expect(modeOf(resolveMariadbOptions({ hosts: 'a', tls }))[0]?.options.rejectUnauthorized).toBe(true)
  })

  it.each<[string, string]>([
    ['sslMode=trust&useSsl=false', 'trust'],
    ['sslMode=REQUIRED', 'trust'],
    ['sslMode=VERIFY_CA', 'verify-ca'],
    ['useSSL=true', 'verify-full'],
    ['useSSL=false&requireSSL=true', 'verify-full'],
    ['useSsl&trustServerCertificate', 'trust'],
    ['useSsl&verifyServerCertificate=false', 'trust'],
    ['useSsl&disableSslHostnameVerification=true', 'verify-ca'],
    ['trustServerCertificate=true', 'off'],
  ])('of %s is %s', (query, mode) => {
    expect(modeOf(resolveMariadbOptions(`jdbc:mariadb://h?${query}`))[0]?.mode).toBe(mode)
  })

  it('takes the versions of a URL', () => {
    const url = 'jdbc:mariadb://h?sslMode=trust&enabledSslProtocolSuites=TLSv1.3,TLSv1.2'
    expect(modeOf(resolveMariadbOptions(url))[0]?.options).toMatchObject({
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
    })
  })

  it('takes a certificate from a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ha-mariadb-'))
    try {
      const path = join(folder, 'ca.pem')
      writeFileSync(path, '-----BEGIN CERTIFICATE-----\nx')
      const url = `jdbc:mariadb://h?sslMode=verify-ca&serverSslCert=${encodeURIComponent(path)}`
      expect(modeOf(resolveMariadbOptions(url))[0]?.options.ca).toBe('-----BEGIN CERTIFICATE-----\nx')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('that is off says that a certificate is given in vain', () => {
    const url = 'jdbc:mariadb://h?serverSslCert=-----BEGIN CERTIFICATE-----'
    expect(resolveMariadbOptions(url).warnings).toEqual([
      'url, column 18, serverSslCert: ignored: TLS is off without sslMode',
    ])
  })

  it.each<[string, string]>([
    ['serverSslCert=/nowhere/ca.pem', 'expected a certificate or a readable file'],
    ['serverSslCert=classpath:ca.pem', 'class paths are not supported'],
    ['sslMode=preferred', 'expected one of disable, trust, verify-ca, verify-full'],
    ['enabledSslProtocolSuites=TLSv1.2,SSLv3', 'expected versions of TLS: TLSv1, TLSv1.1'],
  ])('rejects %s', (query, message) => {
    expect(() => resolveMariadbOptions(`jdbc:mariadb://h?${query}`)).toThrow(message)
  })
})
