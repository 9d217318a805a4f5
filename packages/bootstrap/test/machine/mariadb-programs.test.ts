import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { accountOf } from '../../src/machine/host.ts'
import { findMariadb } from '../../src/machine/installations.ts'

let bin: string

beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), 'hactl-mariadb-'))
  for (const program of ['mariadbd', 'mariadb', 'mariadb-install-db', 'rsync']) {
    writeFileSync(join(bin, program), '#!/bin/sh\necho "mariadbd  Ver 11.4.2-MariaDB for debian-linux-gnu"\n')
    chmodSync(join(bin, program), 0o755)
  }
})
afterEach(() => {
  rmSync(bin, { recursive: true })
})

test('the search path comes first, and the server says its version', () => {
  expect(findMariadb({ PATH: bin })).toMatchObject({
    kind: 'found',
    installation: { version: '11.4.2', server: join(bin, 'mariadbd'), client: join(bin, 'mariadb') },
  })
})

test('the first group of an account is read beside it', () => {
  const passwd = 'root:x:0:0:root:/root:/bin/sh\nmysql:x:104:107:MySQL,,,:/nonexistent:/bin/false\n'

  expect(accountOf('mysql', passwd)).toEqual({ uid: 104, gid: 107 })
  expect(accountOf('mysq', passwd)).toBeUndefined()
})
