import { describe, expect, test } from 'vitest'
import { profileStatements, type SessionProfile, selectSchema } from '../../src/driver/session-reset.ts'

const plain: SessionProfile = {
  database: 'app',
  isolation: undefined,
  timeZone: '+00:00',
  variables: {},
  initSql: [],
}

describe('the profile of a session', () => {
  test('commits by itself and has a clock of its own, also where the server has other defaults', () => {
    expect(profileStatements(plain)).toEqual(["SET SESSION time_zone='+00:00'", 'SET SESSION autocommit=1'])
  })

  test('leaves the server’s clock when asked to', () => {
    expect(profileStatements({ ...plain, timeZone: 'server' })).toEqual(['SET SESSION autocommit=1'])
  })

  test('has variables, an isolation level and statements of its own, and commits by itself whatever they do', () => {
    const variables = {
      sql_mode: "a'b\\",
      lock_wait_timeout: 5,
      foreign_key_checks: false,
      sql_log_off: null,
    }
    const profile: SessionProfile = { ...plain, isolation: 'repeatable-read', variables, initSql: ['DO 1'] }
    expect(profileStatements(profile)).toEqual([
      "SET SESSION time_zone='+00:00',`sql_mode`='a''b\\\\',`lock_wait_timeout`=5,`foreign_key_checks`=0,`sql_log_off`=NULL",
      'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ',
      'DO 1',
      'SET SESSION autocommit=1',
    ])
  })

  test('lets no name of a variable become a statement', () => {
    const [first] = profileStatements({ ...plain, variables: { 'a`=1; DROP': 1 } })
    expect(first).toContain('`a``=1; DROP`=1')
  })

  test.each([
    ['read-uncommitted', 'READ UNCOMMITTED'],
    ['read-committed', 'READ COMMITTED'],
    ['repeatable-read', 'REPEATABLE READ'],
    ['serializable', 'SERIALIZABLE'],
  ] as const)('says %s in the words of SQL', (isolation, words) => {
    const statements = profileStatements({ ...plain, isolation })
    expect(statements).toContain(`SET SESSION TRANSACTION ISOLATION LEVEL ${words}`)
  })

  test('goes back to the schema of the login', () => {
    expect(selectSchema({ ...plain, database: 'a`b' })).toBe('USE `a``b`')
    expect(selectSchema({ ...plain, database: undefined })).toBeUndefined()
  })
})
