import { startFakeGalera } from '@ha/testing/mariadb'
import { describe, expect, it } from 'vitest'
import { clusterOn, gone, pass, settledAfterMs } from './witness.ts'

// While these pass, this package chooses and monitors the nodes, not the driver.

describe('in the cluster of the mariadb driver', () => {
  it('callers wait out the whole deadline for a first node that refuses, again and again (1)', async () => {
    await using cluster = await startFakeGalera({ nodes: 2 })
    const pools = clusterOn(
      cluster,
      { defaultSelector: 'ORDER', restoreNodeTimeout: 100 },
      { connectionLimit: 2, acquireTimeout: 300 },
    )
    await cluster.node(1).kill()
    const borrow = (): Promise<number> => settledAfterMs(pools.getConnection().then((each) => each.release()))
    const first = await borrow()
    const next = await borrow()
    await pass(150)
    const later = await borrow()
    expect([first > 280, next < 200, later > 280], gone).toEqual([true, true, true])
    await pools.end()
  })

  it('callers wait one deadline more than there are nodes when all are down (2)', async () => {
    await using cluster = await startFakeGalera({ nodes: 2 })
    const pools = clusterOn(cluster, {}, { connectionLimit: 2, acquireTimeout: 200 })
    for (const node of cluster.nodes) await node.kill()
    expect(await settledAfterMs(pools.getConnection()), gone).toBeGreaterThan(3 * 190)
    await pools.end()
  })

  it('a healthy node whose connections are all in use is taken for broken, and removed (10)', async () => {
    await using cluster = await startFakeGalera({ nodes: 1 })
    const pools = clusterOn(cluster, { removeNodeErrorCount: 1 }, { connectionLimit: 1, acquireTimeout: 100 })
    const removed: string[] = []
    pools.on('remove', (node) => removed.push(node))
    const borrowed = await pools.getConnection()
    await pools.getConnection().catch(() => undefined)
    await pass(20)
    expect(removed, gone).toEqual(['node1'])
    await borrowed.release()
  })

  it('borrowing after the end throws a TypeError where it should reject (14)', async () => {
    await using cluster = await startFakeGalera({ nodes: 1 })
    const pools = clusterOn(cluster, {}, { connectionLimit: 1 })
    await pools.end()
    expect(() => pools.getConnection(), gone).toThrow(TypeError)
  })
})
