import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as driver from '../src/driver-tools.ts'
import * as main from '../src/index.ts'
import * as testing from '../src/testing/index.ts'

function exportedNames(file: string): readonly string[] {
  const source = readFileSync(new URL(`../src/${file}`, import.meta.url), 'utf8')
  const lists = [...source.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].map(([, list = '']) => list)
  const names = lists.flatMap((list) => list.split(',')).map((name) => name.replace('type ', '').trim())
  return names.filter((name) => name !== '').sort()
}

// A public name is a promise: what changes here needs a changeset.
describe('@ha/core', () => {
  it('exports these names', () => {
    expect(Object.keys(main).sort()).toMatchSnapshot()
  })

  it('exports at most 70 names, types included', () => {
    expect(exportedNames('index.ts').length).toBeLessThanOrEqual(70)
  })

  it('exports these names for authors of drivers and clients', () => {
    expect(Object.keys(driver).sort()).toMatchSnapshot()
    expect(exportedNames('driver-tools.ts')).toMatchSnapshot()
  })

  it('exports these names for tests', () => {
    expect(Object.keys(testing).sort()).toMatchSnapshot()
  })
})
