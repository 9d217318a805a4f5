import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JdbcHost, JdbcTarget } from '../../src/address/jdbc-hosts.ts'
import { type JdbcUrl, parseJdbcUrl } from '../../src/address/jdbc-url.ts'

const runs = { numRuns: 1_000 }

describe('the JDBC grammar', () => {
  it('reads back whatever is written by it', () => {
    fc.assert(
      fc.property(anyUrl, (url) => {
        const text = write(url)
        const read = parseJdbcUrl(text)
        expect(withoutColumns(read)).toEqual(withoutColumns(url))
        for (const { column } of read.hosts) expect('/,'.includes(text[column - 2] ?? '')).toBe(true)
        for (const { name, column } of read.parameters) {
          expect(text.slice(column - 1, column - 1 + name.length)).toBe(name)
        }
      }),
      runs,
    )
  })

  it('either reads a text or rejects it as config-invalid with a column inside it', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const error = errorOf(text)
        if (error === undefined) return
        expect(error).toMatchObject({ code: 'config-invalid' })
        const column = Number(/^url, column (\d+): /.exec(String((error as Error).message))?.[1])
        expect(column).toBeGreaterThanOrEqual(1)
        expect(column).toBeLessThanOrEqual(text.length + 1)
      }),
      { numRuns: 5_000 },
    )
  })

  it('never repeats a password, wherever it stands and whatever it is', () => {
    const secret = fc.string({ unit: 'binary-ascii' }).map((tail) => `Zq${tail}`)
    const place = fc.constantFrom<(password: string) => string>(
      (password) => `jdbc:mariadb://h/db?user=u&password=${password}`,
      (password) => `jdbc:mariadb://h/db?user=u&password=&${password}`,
      (password) => `jdbc:mariadb://u:${password}@h/db`,
      (password) => `jdbc:mariadb:replication://u:x,${password}@h,b/db`,
      (password) => `jdbc:mariadb:${password}://h/db`,
      (password) => `jdbc:mariadb://address=(host=a)(${password}=b)/db`,
      (password) => `jdbc:mariadb://address=(host=a)(type=${password})/db`,
      (password) => `${password}://h/db`,
      (password) => `jdbc:mariadb://h/%zz${password}`,
    )
    fc.assert(
      fc.property(secret, place, (password, spell) => {
        const error = errorOf(spell(password))
        expect(`${(error as Error | undefined)?.stack} ${JSON.stringify(error)}`).not.toContain('Zq')
      }),
      runs,
    )
  })

  it('is done with a long text in time that grows with its length', () => {
    const long = 100_000
    for (const piece of [
      '(',
      ')',
      '()',
      ',',
      ':',
      '=',
      '&',
      '?',
      '/',
      '%',
      '%41',
      '[',
      '@',
      'a',
      'address=(',
    ]) {
      const text = piece.repeat(long)
      for (const start of [
        '',
        'jdbc:mariadb:',
        'jdbc:mariadb://',
        'jdbc:mariadb://h?',
        'jdbc:mariadb://h/',
      ]) {
        errorOf(start + text)
      }
    }
  }, 5_000)
})

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/)
const host = fc.oneof(
  fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.')),
  fc.ipV4(),
  fc.ipV6(),
)
const target: fc.Arbitrary<JdbcTarget> = fc.oneof(
  fc
    .record({ host, port: fc.integer({ min: 1, max: 65_535 }) })
    .map((endpoint): JdbcTarget => ({ kind: 'tcp', endpoint })),
  fc.string({ unit: 'binary' }).map((path): JdbcTarget => ({ kind: 'local-socket', path: `/${path}` })),
)
const anyHost: fc.Arbitrary<JdbcHost> = fc.record({
  target,
  role: fc.constantFrom('primary', 'replica'),
  sslMode: fc.option(
    fc.string().map((text) => ({ text, column: 0 })),
    { nil: undefined },
  ),
  column: fc.constant(0),
})
const anyUrl: fc.Arbitrary<JdbcUrl> = fc.record({
  mode: fc.constantFrom('none', 'sequential', 'loadbalance', 'load-balance-read', 'replication', 'aurora'),
  hosts: fc
    .uniqueArray(anyHost, { minLength: 1, maxLength: 5, selector: (one) => JSON.stringify(one.target) })
    .map(([first, ...rest]) => [{ ...first!, role: 'primary' as const }, ...rest]),
  database: fc.option(fc.string({ unit: 'binary', minLength: 1 }), { nil: undefined }),
  parameters: fc.uniqueArray(
    fc.record({
      name: fc.stringMatching(/^[a-z][a-z0-9_.-]{0,8}$/),
      value: fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
      column: fc.constant(0),
      valueColumn: fc.constant(0),
    }),
    { selector: ({ name }) => name.toLowerCase() },
  ),
})

// Random characters are rejected at the first of them; pieces of the grammar get further.
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'binary' }).map((rest) => `jdbc:mariadb://${rest}`),
  fc
    .array(
      fc.constantFrom(
        ...['jdbc:mariadb:', 'sequential:', '//', '/', 'address=', '(', ')', 'host=', 'a', ',', ':', '[::1]'],
        ...['?', '&', '=', '%', '%41', '@', 'type=replica', 'port=1', 'urlDecoding=false', '1'],
      ),
    )
    .map((pieces) => `jdbc:mariadb:${pieces.join('')}`),
)

function write({ mode, hosts, database, parameters }: JdbcUrl): string {
  const list = hosts.map(writeHost).join(',')
  const query = parameters.map(({ name, value }) =>
    value === undefined ? name : `${name}=${encoded(value)}`,
  )
  const path = database === undefined ? '' : encoded(database)
  return `jdbc:mariadb:${mode === 'none' ? '' : `${mode}:`}//${list}/${path}?${query.join('&')}`
}

function writeHost({ target: where, role, sslMode }: JdbcHost): string {
  const place =
    where.kind === 'tcp'
      ? `(host=${where.endpoint.host})(port=${where.endpoint.port})`
      : `(localSocket=/${encoded(where.path.slice(1))})`
  return `address=${place}(type=${role})${sslMode === undefined ? '' : `(sslMode=${encoded(sslMode.text)})`}`
}

// encodeURIComponent leaves parentheses alone, and throws for half a surrogate pair, which 'binary' never makes.
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll('(', '%28').replaceAll(')', '%29')
}

function withoutColumns(url: JdbcUrl): unknown {
  return JSON.parse(JSON.stringify(url, (key, value) => (/column$/i.test(key) ? undefined : value)))
}

function errorOf(text: string): unknown {
  try {
    parseJdbcUrl(text)
    return undefined
  } catch (error) {
    return error
  }
}
