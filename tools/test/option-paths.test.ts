import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { resolveMariadbOptions } from '../../packages/mariadb/src/options/options.ts'
import { resolveRabbitOptions } from '../../packages/rabbit/src/options.ts'
import { resolveZookeeperOptions } from '../../packages/zookeeper/src/options.ts'

const packages = fileURLToPath(new URL('../../packages', import.meta.url))

// Errors that say what to do name options by their paths. A path that does not exist sends the reader on a wrong way.
test.each([
  ['rabbit', resolveRabbitOptions({ addresses: 'n1' })],
  ['mariadb', resolveMariadbOptions({ hosts: 'n1', commitLog: true })],
  ['zookeeper', resolveZookeeperOptions({ connect: 'n1' })],
] as const)('the paths of options in texts of @ha/%s exist', (name, resolved) => {
  const groups: Readonly<Record<string, unknown>> = { ...resolved }
  const paths = textsOf(name).flatMap((text) => pathsIn(text, groups))
  expect([...new Set(paths)].filter(([group, option]) => !has(groups[group], option))).toEqual([])
})

test('a path of which the option does not exist is found', () => {
  expect(pathsIn("'raise retry.attemps, or set a.b'", { retry: { attempts: 3 } })).toEqual([
    ['retry', 'attemps'],
  ])
})

/** The quoted texts of the sources, without the code in templates. */
function textsOf(name: string): readonly string[] {
  return readdirSync(join(packages, name, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .flatMap((entry) => {
      const code = readFileSync(join(entry.parentPath, entry.name), 'utf8')
      const text = code.replaceAll(/from '[^']*'|^\s*(?:\/\/|\*|\/\*).*$/gm, '')
      return [...text.matchAll(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g)].map(
        ([quoted]) => quoted.replaceAll(/\$\{[^}]*\}/g, ''),
      )
    })
}

function pathsIn(
  text: string,
  groups: Readonly<Record<string, unknown>>,
): readonly (readonly [string, string])[] {
  return [...text.matchAll(/(?<![\w./])([a-z]\w+)\.([a-z]\w+)\b(?![(/])/g)]
    .map(([, group = '', option = '']) => [group, option] as const)
    .filter(([group]) => typeof groups[group] === 'object' && groups[group] !== null)
}

function has(group: unknown, option: string): boolean {
  return typeof group === 'object' && group !== null && Object.hasOwn(group, option)
}
