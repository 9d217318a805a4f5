import { readFileSync } from 'node:fs'
import { FakeClock } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { startFakeServer } from '../../src/mariadb/index.ts'
import { shapePatterns } from '../../src/mariadb/sql/shapes.ts'
import { client } from './client.ts'

describe('the statements that a fake server runs', () => {
  it('are those that the guide lists, in the same order', () => {
    const guide = readFileSync(
      new URL('../../../../docs/guides/testing-with-the-fake-server.md', import.meta.url),
      'utf8',
    )
    const [, table = ''] = /\| statement +\| what it does +\|\n\|[^\n]+\n([\s\S]*?)\n\n/.exec(guide) ?? []
    const listed = [...table.matchAll(/^\| `(.+?)` +\|/gm)].map(([, pattern]) =>
      pattern?.replaceAll('\\|', '|'),
    )
    expect(listed).toEqual(shapePatterns)
  })

  it('are found whatever their spaces, quotes and comments', async () => {
    const cluster = await startFakeServer({ clock: new FakeClock(), listens: false })
    const one = await client(cluster.node(1))
    await one.run('create table `t` ( `k` varchar(9) primary key , `v` int )')
    await one.run("INSERT INTO test.t(k,v)VALUES ( 'it''s (a), \\'?\\' -- b' , -1 ) ; ")
    await one.run('UPDATE t /* v */ SET v=v - 1\nWHERE t.k IN (?)', ["it's (a), '?' -- b"])
    expect(await one.run('select V, k from t where v<= 7 AND k <> "x"')).toEqual([
      { V: -2, k: "it's (a), '?' -- b" },
    ])
    await cluster.close()
  })

  it('are all: what fits none is recorded, unless a rule has answered it', async () => {
    const cluster = await startFakeServer({ clock: new FakeClock(), listens: false })
    const one = await client(cluster.node(1))
    cluster.script({ when: { sql: /JOIN/ }, do: 'answer', with: { affectedRows: 1 } })
    for (const sql of [
      'SELECT 1',
      'SELECT a FROM t JOIN u',
      'SELECT a FROM t GROUP BY a',
      'CALL p()',
      'CALL p()',
    ])
      await one.run(sql)
    expect(cluster.unknownStatements).toEqual(['SELECT a FROM t GROUP BY a', 'CALL p()'])
    await cluster.close()
  })
})
