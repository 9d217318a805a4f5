import { describe, expect, it } from 'vitest'
import * as main from '../src/index.ts'

// A public name is a promise: what changes here needs a changeset.
describe('@ha/rabbit', () => {
  it('exports these names', () => {
    expect(Object.keys(main).sort()).toMatchSnapshot()
  })
})
