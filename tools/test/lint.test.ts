import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A file that breaks a rule of the house or keeps it, and the rules that must speak up. */
type Fixture = readonly [path: string, source: string, rules: readonly string[]]

const fixtures: readonly Fixture[] = [
  // Layers
  ['packages/core/src/cluster/up.ts', "export { x } from '../link/x.ts'", ['noRestrictedImports']],
  ['packages/core/src/errors/up.ts', "export { x } from '../cluster/x.ts'", ['noRestrictedImports']],
  ['packages/core/src/address/up.ts', "export { x } from '../pool/x.ts'", ['noRestrictedImports']],
  ['packages/core/src/policy/up.ts', "export { x } from '../run.ts'", ['noRestrictedImports']],
  ['packages/core/src/client/up.ts', "export { x } from '../pool/x.ts'", ['noRestrictedImports']],
  ['packages/core/src/link/across.ts', "export { x } from '../pool/x.ts'", ['noRestrictedImports']],
  ['packages/core/src/pool/across.ts', "export { x } from '../link/x.ts'", ['noRestrictedImports']],
  ['packages/core/src/policy/down.ts', "export { x } from '../cluster/x.ts'", []],
  ['packages/core/src/util/up.ts', "export { x } from '../errors/x.ts'", ['noRestrictedImports']],
  ['packages/rabbit/src/publisher/driver.ts', "export { connect } from 'amqplib'", ['noRestrictedImports']],
  ['packages/rabbit/src/driver/driver.ts', "export { connect } from 'amqplib'", []],
  [
    'packages/zookeeper/src/connection/driver.ts',
    "export { createClient } from 'node-zookeeper-client'",
    ['noRestrictedImports'],
  ],
  ['packages/zookeeper/src/protocol/jute.ts', "export { createClient } from 'node-zookeeper-client'", []],
  ['packages/rabbit/src/up.ts', "export { startLab } from '@ha/bootstrap'", ['noRestrictedImports']],
  [
    'examples/shop/src/inside.ts',
    "export { x } from '../../../packages/core/src/x.ts'",
    ['noRestrictedImports'],
  ],
  // Time and chance
  ['packages/core/src/link/timer.ts', 'setTimeout(() => 1, 1)', ['noRestrictedGlobals']],
  ['packages/core/src/link/now.ts', 'export const now: number = Date.now()', ['plugin']],
  ['packages/core/src/util/now.ts', 'export const now: number = Date.now()', []],
  // Habits
  ['packages/core/src/link/long.ts', 'export {}\n'.repeat(501), ['noExcessiveLinesPerFile']],
  [
    'packages/core/src/link/floating.ts',
    'async function work(): Promise<void> {}\nexport function start(): void {\n  work()\n}',
    ['noFloatingPromises'],
  ],
  ['packages/core/src/link/loud.ts', "console.log('hello')", ['noConsole']],
  ['packages/core/src/link/any.ts', 'export const x: any = 1', ['noExplicitAny']],
]

let folder: string
let heard: ReadonlyMap<string, readonly string[]>

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ha-lint-'))
  cpSync(join(root, 'tools/lint'), join(folder, 'tools/lint'), { recursive: true })
  const config = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8')) as Record<string, unknown>
  writeFileSync(join(folder, 'biome.json'), JSON.stringify({ ...config, $schema: undefined, vcs: undefined }))
  for (const [path, source] of fixtures) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), source)
  }
  heard = lint()
})
afterAll(() => rmSync(folder, { recursive: true }))

test.each(fixtures)('%s', (path, _, rules) => {
  // Other rules may have their say about a fixture; the rules of the house are what is looked at.
  const ofTheHouse = new Set(fixtures.flatMap(([, , named]) => named))
  expect((heard.get(path) ?? []).filter((rule) => ofTheHouse.has(rule))).toEqual(rules)
})

// The rules that spoke up, by file.
function lint(): ReadonlyMap<string, readonly string[]> {
  const biome = join(root, 'node_modules/@biomejs/biome/bin/biome')
  const args = [biome, 'lint', '--reporter=json', '--max-diagnostics=200', '.']
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  const { diagnostics } = JSON.parse(stdout) as {
    readonly diagnostics: readonly {
      readonly category: string
      readonly location: { readonly path: string }
    }[]
  }
  const rules = new Map<string, string[]>()
  for (const { category, location } of diagnostics) {
    const rule = category.split('/').at(-1) ?? category
    rules.set(location.path, [...(rules.get(location.path) ?? []), rule])
  }
  return rules
}
