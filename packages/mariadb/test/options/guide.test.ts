import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { ForeignOption } from '../../src/options/foreign-options.ts'
import { hikariOptions } from '../../src/options/hikari.ts'
import type { TlsOption } from '../../src/options/java-options.ts'
import { javaOptions } from '../../src/options/java-url.ts'

const written = readFileSync(new URL('../../../../docs/guides/jdbc-urls.md', import.meta.url), 'utf8')
// Independent of the width of the columns.
const guide = written.replaceAll(/ +\|/g, ' |')

/** The rows of the guide's table: one for each treatment, with the names of the options. */
function rowsOf(kind: string, options: Readonly<Record<string, ForeignOption | TlsOption>>): string {
  const names = new Map<string, string[]>()
  for (const [name, option] of Object.entries(options)) {
    if (option.kind !== kind) continue
    const what = option.kind === 'mapped' ? `\`${option.to}\`` : option.kind === 'tls' ? '`tls`' : option.why
    names.set(what, [...(names.get(what) ?? []), `\`${name}\``])
  }
  return [...names].map(([what, list]) => `| ${list.join(', ')} | ${what} |`).join('\n')
}

describe('the guide to JDBC URLs', () => {
  it.each(['mapped', 'tls', 'ignored', 'rejected'])(
    'lists the options of Connector/J that are %s',
    (kind) => {
      expect(guide).toContain(`${rowsOf(kind, javaOptions)}\n\n`)
    },
  )

  it.each(['mapped', 'ignored', 'rejected'])('lists the options of HikariCP that are %s', (kind) => {
    expect(guide).toContain(`${rowsOf(kind, hikariOptions)}\n\n`)
  })
})
