import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type MariadbOptions, resolveMariadbOptions } from '../../src/options/options.ts'

const secret = 'Zq-s3ntinel'

function said(input: unknown): string {
  try {
    const { warnings, ...options } = resolveMariadbOptions(input as MariadbOptions)
    return `${warnings.join('\n')} ${JSON.stringify(options)}`
  } catch (error) {
    return `${(error as Error).stack} ${JSON.stringify(error)} ${(error as Error).cause}`
  }
}

it.each<[unknown]>([
  [`jdbc:mariadb://h/db?user=u&password=${secret}`],
  [`jdbc:mariadb://h/db?user=u&password=${secret}&connectTimeout=x`],
  [`jdbc:mariadb://h/db?user=u&password=a&${secret}`],
  [`jdbc:mariadb://h/db?user=u&password=a&${secret}&unknownOptions=warn`],
  [`jdbc:mariadb://h/db?password=${secret}&Password=b`],
  [`jdbc:mariadb://h/db?password=${secret}%zz`],
  [`jdbc:mariadb://u:${secret}@h/db`],
  [`jdbc:mariadb://u:${secret}/a@h/db`],
  [`jdbc:mariadb://u:${secret}?a@h/db`],
  [`jdbc:mariadb://h/db?keyStorePassword=${secret}`],
  [`jdbc:mariadb://h/db?sslMode=${secret}`],
  [`jdbc:mariadb://h/db?serverSslCert=${secret}`],
  [`jdbc:mariadb://address=(host=a)(sslMode=${secret})/db`],
  [`mariadb://u:${secret}@h/db`],
  [{ hosts: `jdbc:mariadb://u:${secret}@h/db` }],
  [{ hosts: 'a', password: [secret] }],
  [{ hosts: 'a', passwrd: secret }],
  [{ hosts: 'a', password: secret }],
  [{ hosts: 'a', hikari: { password: secret } }],
  [{ hosts: 'a', hikari: { password: [secret] } }],
  [{ hosts: 'a', hikari: { 'jdbc-url': [secret] } }],
  [{ hikari: { 'jdbc-url': `mysql://u:${secret}@h` } }],
  [{ url: `jdbc:mariadb://h?sessionVariables=${secret}` }],
])('no error, warning or dump of the options names a secret: %#', (input) => {
  expect(said(input)).not.toContain(secret)
})

it('no error or warning repeats a password that was not encoded, whatever it is', () => {
  const password = fc.string({ unit: 'binary-ascii' }).map((tail) => `${secret}${tail}`)
  const place = fc.constantFrom(
    '?user=u&password=',
    '?password=a&',
    '?sslMode=',
    '?unknownOptions=warn&password=a&',
  )
  fc.assert(
    fc.property(password, place, (text, before) => {
      expect(said(`jdbc:mariadb://h/db${before}${text}`)).not.toContain(secret)
    }),
    { numRuns: 500 },
  )
})
