import { expect, test } from 'vitest'
import * as mariadb from '../src/mariadb/index.ts'
import * as proxy from '../src/proxy/index.ts'
import * as rabbit from '../src/rabbit/index.ts'
import * as zookeeper from '../src/zookeeper/index.ts'

// A public name is a promise: what changes here needs a changeset.
test.each(Object.entries({ proxy, rabbit, mariadb, zookeeper }))(
  '@ha/testing/%s exports these names',
  (_, entry) => {
    expect(Object.keys(entry).sort()).toMatchSnapshot()
  },
)
