import { describe, expect, it } from 'vitest'
import { javaOptions } from '../../src/options/java-url.ts'
import { resolveMariadbOptions } from '../../src/options/options.ts'
import type { ResolvedOptions } from '../../src/options/resolved-options.ts'

const resolve = (query: string) => resolveMariadbOptions(`jdbc:mariadb://h?${query}`)

describe('an option of Connector/J', () => {
  it.each<[string, unknown]>([
    ['user=u', { username: 'u' }],
    ['USER=u', { username: 'u' }],
    ['poolName=p', { name: 'p' }],
    ['connectTimeout=5000', { pool: { connectTimeoutMs: 5_000 } }],
    ['socketTimeout=5000', { timeoutMs: 5_000 }],
    ['maxPoolSize=4&minPoolSize=3', { pool: { maximumSize: 4, minimumIdle: 3 } }],
    ['maxIdleTime=60', { pool: { idleTimeoutMs: 60_000 } }],
    ['galeraAllowedState=4', { donor: 'never' }],
    ['galeraAllowedState=4,5', { donor: 'never' }],
    ['galeraAllowedState=2,4', { donor: 'allow' }],
    ['transactionIsolation=READ-COMMITTED', { session: { isolation: 'read-committed' } }],
    ['timezone=disabled', { session: { timeZone: 'server' } }],
    ['serverTimezone=UTC', { session: { timeZone: '+00:00' } }],
    ['connectionTimeZone=SERVER', { session: { timeZone: 'server' } }],
    ['timezone=+02:00', { session: { timeZone: '+02:00' } }],
    ['initSql=DO%201', { session: { initSql: ['DO 1'] } }],
    [
      "sessionVariables=wsrep_sync_wait=1,sql_mode='ANSI,STRICT_TRANS_TABLES';@@session.foreign_key_checks=ON,a=NULL",
      {
        session: {
          variables: {
            wsrep_sync_wait: 1,
            sql_mode: 'ANSI,STRICT_TRANS_TABLES',
            foreign_key_checks: 'ON',
            a: null,
          },
        },
      },
    ],
    [
      'connectionCollation=utf8mb4_bin&sessionVariables=a=true',
      { session: { variables: { collation_connection: 'utf8mb4_bin', a: true } } },
    ],
  ])('%s becomes an option of ours', (query, expected) => {
    const resolved = resolve(query)
    expect(resolved).toMatchObject(expected as Partial<ResolvedOptions>)
    expect(resolved.warnings).toEqual([])
  })

  it('that asks for no limit leaves the default, and says so', () => {
    const { timeoutMs, warnings } = resolve('socketTimeout=0')
    expect({ timeoutMs, warnings }).toEqual({
      timeoutMs: 30_000,
      warnings: ['url, column 18, socketTimeout: 0 is ignored: every wait has a limit'],
    })
  })

  it.each([
    'autoReconnect=true',
    'tcpNoDelay',
    'pool=true',
    'autocommit=1',
    'allowMultiQueries=false',
    'useUnicode=true',
    'characterEncoding=UTF-8',
    'useCompression=0',
  ])('that asks for what is so anyway is taken without a word: %s', (query) => {
    expect(resolve(query).warnings).toEqual([])
  })

  it('that means nothing here is named once', () => {
    expect(resolve('retriesAllDown=3&rewriteBatchedStatements').warnings).toEqual([
      'url, column 18, retriesAllDown: ignored: the deadline of the call bounds the attempts',
      'url, column 35, rewriteBatchedStatements: ignored: batch() uses the bulk protocol',
    ])
  })

  it.each<[string, string]>([
    ['autocommit=false', 'autocommit: statements outside transaction() run in autocommit mode'],
    ['characterEncoding=latin1', 'characterEncoding: expected one of utf8'],
    ['keyStore=a.jks', 'keyStore: key stores and trust stores are not supported'],
    ['localSocket=/s', 'localSocket: write it as a host: //address=(localSocket=/path)/database'],
    ['user', 'user: expected non-empty text'],
    ['connectTimeout=5', 'connectTimeout: expected a whole number of milliseconds from 10 to 600000, got 5'],
    ['maxIdleTime=0', 'maxIdleTime: expected a whole number of seconds, from 1'],
    ['retriesAllDown=many', 'retriesAllDown: expected a whole number, from 0'],
    ['timezone=LOCAL', 'timezone: the local zone differs between machines'],
    ['galeraAllowedState=2', 'galeraAllowedState: expected the states to include 4'],
    ['galeraAllowedState=x', 'galeraAllowedState: expected states of wsrep_local_state'],
    ['connectionCollation=latin1_bin', 'connectionCollation: expected a collation of utf8mb4'],
    ["sessionVariables=a=concat('x')", "sessionVariables: expected name=value,name='value'"],
    ['sessionVariables=time_zone=UTC', 'sessionVariables: time_zone cannot be set here: use the option'],
    ['sessionVariables=a=1,autocommit=0', 'sessionVariables: autocommit cannot be set here: statements'],
    ['initSql=SET%20autocommit=0', 'initSql: autocommit cannot be set here: statements outside'],
    [
      'timezone=UTC&serverTimezone=UTC',
      'serverTimezone: timezone sets the same option: write only one of them',
    ],
    ['unknownOptions=maybe', 'unknownOptions: expected one of reject, warn, ignore'],
  ])('that cannot be had is rejected: %s', (query, message) => {
    expect(() => resolve(query)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(message) }),
    )
  })

  it('that nobody knows is rejected, named, or passed over, as unknownOptions says', () => {
    const problem = "url, column 38: ignored: there is no such option; did you mean 'connectTimeout'?"
    expect(resolve('unknownOptions=warn&conectTimeout=1').warnings).toEqual([problem])
    expect(resolve('unknownOptions=ignore&conectTimeout=1').warnings).toEqual([])
    expect(() => resolve('unknownOptions=reject&conectTimeout=1')).toThrow(
      'column 40: there is no such option',
    )
  })

  it('is one of many that are wrong, and all are named', () => {
    const lines = expect.stringMatching(/^url, column 18, .*\nurl, column 35, .*$/)
    expect(() => resolve('connectTimeout=x&localSocket')).toThrow(expect.objectContaining({ message: lines }))
  })

  it('has a name of its own, whatever its case', () => {
    const names = Object.keys(javaOptions)
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length)
  })
})
