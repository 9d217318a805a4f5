import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DataTree, type Txn } from '../../src/zookeeper/tree/data-tree.ts'
import { nameOf, parentOf } from '../../src/zookeeper/tree/path.ts'
import { prepareMulti, TransactionDraft } from '../../src/zookeeper/tree/transaction.ts'
import type { PartRequest } from '../../src/zookeeper/wire/requests.ts'

const acl = [{ permissions: 31, scheme: 'world', id: 'anyone' }]
const author = { session: 7n, names: [], hasTtl: true, firstVersion: 0, firstSequence: 0 }

const path = fc.constantFrom('/a', '/b', '/a/c', '/a/c/d', '/b/e')
const version = fc.constantFrom(-1, 0, 1)
const part: fc.Arbitrary<PartRequest> = fc.oneof(
  fc.record({
    op: fc.constantFrom('create', 'create2'),
    path,
    data: fc.constant(null),
    acl: fc.constant(acl),
    flags: fc.nat(4),
    ttlMs: fc.constant(0n),
  }),
  fc.record({ op: fc.constant('delete' as const), path, version }),
  fc.record({ op: fc.constant('set-data' as const), path, data: fc.constant(Buffer.from('x')), version }),
)
const multis = fc.array(fc.array(part, { minLength: 1, maxLength: 3 }), { maxLength: 40 })

/** Does each multi or none of it; what was agreed upon. */
function agreed(tree: DataTree, all: readonly (readonly PartRequest[])[]): readonly Txn[] {
  return all.map((parts, i) => {
    const zxid = BigInt(i + 1)
    const draft = new TransactionDraft(tree, { zxid, timeMs: i })
    const { kind } = prepareMulti(draft, parts, author)
    const changes = kind === 'done' ? draft.changes : []
    const txn: Txn = { zxid, atMs: i, timeMs: i, session: 7n, changes, ended: undefined }
    tree.apply(txn)
    return txn
  })
}

it('a tree counts the children that it has, and knows what ends with a session', () => {
  fc.assert(
    fc.property(multis, (all) => {
      const tree = new DataTree()
      agreed(tree, all)
      for (const [at, node] of tree.entries()) {
        expect([at, node.childCount]).toEqual([at, tree.childNames(at).length])
        expect(at === '/' || tree.childNames(parentOf(at)).includes(nameOf(at))).toBe(true)
      }
      const owned = tree.entries().filter(([, node]) => node.owner === 7n)
      expect([...tree.ownedBy(7n)].sort()).toEqual(owned.map(([at]) => at))
    }),
  )
})

it('a tree is what its transactions make of it', () => {
  fc.assert(
    fc.property(multis, (all) => {
      const [tree, again] = [new DataTree(), new DataTree()]
      for (const txn of agreed(tree, all)) again.apply(txn)
      expect(again.entries()).toEqual(tree.entries())
    }),
  )
})
