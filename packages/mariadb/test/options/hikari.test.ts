import { describe, expect, it } from 'vitest'
import type { HikariOptions } from '../../src/options/hikari.ts'
import { resolveMariadbOptions } from '../../src/options/options.ts'

const resolve = (hikari: HikariOptions) => resolveMariadbOptions({ hosts: 'a', hikari })

describe('a block of HikariCP', () => {
  it('becomes options of ours, in kebab case and with numbers as text', () => {
    const resolved = resolveMariadbOptions({
      hikari: {
        'jdbc-url': 'jdbc:mariadb:sequential://a,b/db',
        username: 'u',
        'pool-name': 'billing',
        'connection-timeout': '20000',
        'validation-timeout': 3_000,
        'idle-timeout': '10000',
        'max-lifetime': 30_000,
        'keepalive-time': 30_000,
        'leak-detection-threshold': 2_000,
        'maximum-pool-size': '5',
        'connection-init-sql': 'SET @a = 1',
        'transaction-isolation': 'TRANSACTION_READ_COMMITTED',
        schema: 'other',
      },
    })
    expect(resolved).toMatchObject({
      mode: 'sequential',
      database: 'other',
      username: 'u',
      name: 'billing',
      pool: {
        acquireTimeoutMs: 20_000,
        validationTimeoutMs: 3_000,
        idleTimeoutMs: 10_000,
        maxLifetimeMs: 30_000,
        keepaliveMs: 30_000,
        leakDetectionMs: 2_000,
        maximumSize: 5,
        minimumIdle: 5,
      },
      session: { isolation: 'read-committed', initSql: ['SET @a = 1'] },
    })
  })

  it('is read in camel case as well', () => {
    expect(resolve({ maximumPoolSize: 3, minimumIdle: 0 }).pool).toMatchObject({
      maximumSize: 3,
      minimumIdle: 0,
    })
  })

  it('has defaults of its own: as many idle connections as the pool may hold', () => {
    expect(resolve({}).pool.minimumIdle).toBe(10)
  })

  it('does not change the deadline of a call', () => {
    expect(resolve({ connectionTimeout: 250 }).timeoutMs).toBe(30_000)
  })

  it('counts before a URL, and after what stands beside it', () => {
    const url = 'jdbc:mariadb://h?user=url&maxPoolSize=3&poolName=url'
    const hikari = { username: 'hikari', 'pool-name': 'hikari' }
    const { username, name, pool } = resolveMariadbOptions(url, { name: 'own', hikari })
    expect({ username, name, size: pool.maximumSize }).toEqual({ username: 'hikari', name: 'own', size: 3 })
  })

  it('turns a 0 that stands for never into never', () => {
    const { pool } = resolve({ idleTimeout: 0, maxLifetime: 0, keepaliveTime: 0, leakDetectionThreshold: 0 })
    expect(pool).toMatchObject({
      idleTimeoutMs: Number.POSITIVE_INFINITY,
      maxLifetimeMs: Number.POSITIVE_INFINITY,
      keepaliveMs: Number.POSITIVE_INFINITY,
      leakDetectionMs: 0,
    })
  })

  it('names once what belongs to Java', () => {
    const { warnings } = resolve({
      'driver-class-name': 'org.mariadb.jdbc.Driver',
      'auto-commit': true,
      'initialization-fail-timeout': -1,
    })
    expect(warnings).toEqual([
      'mariadb.hikari.driver-class-name: ignored: Java classes have no equivalent',
      'mariadb.hikari.initialization-fail-timeout: ignored: the client is created at once: wait for a server with ready({ timeoutMs })',
    ])
  })

  it.each<[HikariOptions | unknown, string]>([
    [7, 'mariadb.hikari: expected an object with the names of HikariCP'],
    [{ connectionTimeout: 249 }, 'connectionTimeout: expected a whole number of milliseconds, from 250'],
    [{ connectionTimeout: '2s' }, 'connectionTimeout: expected a whole number of milliseconds, from 250'],
    [{ validationTimeout: 249 }, 'validationTimeout: expected a whole number of milliseconds, from 250'],
    [
      { validationTimeout: 5_000, connectionTimeout: 5_000 },
      "validationTimeoutMs: expected less than acquireTimeoutMs, which is 5000 (Hikari's connection-timeout)",
    ],
    [{ idleTimeout: 9_999 }, 'idleTimeout: expected a whole number of milliseconds, 0, or from 10000'],
    [{ maxLifetime: 29_999 }, 'maxLifetime: expected a whole number of milliseconds, 0, or from 30000'],
    [{ keepaliveTime: 29_999 }, 'keepaliveTime: expected a whole number of milliseconds, 0, or from 30000'],
    [
      { leakDetectionThreshold: 1_999 },
      'leakDetectionThreshold: expected a whole number of milliseconds, 0, or from 2000',
    ],
    [{ maximumPoolSize: 0 }, 'maximumPoolSize: expected a whole number, from 1'],
    [{ minimumIdle: 11 }, 'minimumIdle: expected at most maximumSize, which is 10'],
    [{ autoCommit: false }, 'autoCommit: statements outside transaction() run in autocommit mode'],
    [{ readOnly: 'true' }, 'readOnly: read-only access is requested per call'],
    [{ transactionIsolation: 'TRANSACTION_NONE' }, 'transactionIsolation: expected one of read-uncommitted'],
    [
      { 'maximum-pol-size': 1 },
      "mariadb.hikari.maximum-pol-size: there is no such option; did you mean 'maximumPoolSize'?",
    ],
    [
      { minimumIdle: 1, 'minimum-idle': 1 },
      'mariadb.hikari.minimum-idle: the option is given twice, in two spellings',
    ],
  ])('rejects %j and says where', (hikari, message) => {
    expect(() => resolve(hikari as HikariOptions)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(message) }),
    )
  })
})
