import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const src = join(import.meta.dirname, '../../src')

// The compiler does not follow the URL of a child process: a renamed file would only be missed at run time.
test('every program that runs in a child process exists', () => {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const programs = files.flatMap((file) => {
    const found = readFileSync(join(src, file), 'utf8').matchAll(/new URL\('([^']+-process)\.js'/g)
    return [...found].map(([, name = '']) => join(src, file, '..', `${name}.ts`))
  })
  expect(programs.length).toBeGreaterThan(5)
  expect(programs.filter((program) => !existsSync(program))).toEqual([])
})
