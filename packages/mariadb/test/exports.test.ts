import { describe, expect, it } from 'vitest'
import * as main from '../src/index.ts'

// Public names are stable: a change here needs a changeset.
describe('@ha/mariadb', () => {
  it('exports these names', () => {
    expect(Object.keys(main).sort()).toMatchSnapshot()
  })
})
