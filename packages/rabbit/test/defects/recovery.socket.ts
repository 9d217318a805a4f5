import { type FakeCluster, startFakeCluster } from '@ha/testing/rabbit'
import { type ChannelModel, connect, type RecoveringChannelModel } from 'amqplib'
import { describe, expect, it, vi } from 'vitest'
import { socketOf } from './amqplib-client.ts'
import { isPending, Uncaught } from './witness.ts'

// As long as one of these passes, the driver's own recovery stays unused.

type Setup = (model: ChannelModel) => Promise<void>

function recovering({ url }: FakeCluster, setup: Setup): Promise<RecoveringChannelModel> {
  return connect(url, { recovery: { initialDelay: 1, maxDelay: 1, setup, waitForConnect: false } })
}

function attempts(cluster: FakeCluster): number {
  return cluster.log.entries({ frame: 'protocol-header' }).length
}

// Long enough for a hundred attempts with the delay of 1 ms that these tests give.
function afterManyDelays(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 100)
  })
}

describe('the recovery of amqplib', () => {
  it('lets an error escape when the socket dies during setup, then offers the dead connection and rests (E6)', async () => {
    await using cluster = await startFakeCluster()
    using uncaught = new Uncaught()
    let finish: () => void = () => undefined
    const setup = vi.fn<Setup>(() => new Promise((resolve) => (finish = resolve)))
    const recovery = await recovering(cluster, setup)
    recovery.on('error', () => undefined)
    await vi.waitFor(() => expect(setup).toHaveBeenCalled())
    await restart(cluster)
    expect(await uncaught.first()).toMatchObject({ code: 'ECONNRESET' })
    const offered = new Promise<ChannelModel>((resolve) => recovery.on('connect', resolve))
    finish()
    expect(socketOf(await offered).destroyed).toBe(true)
    await afterManyDelays()
    expect(attempts(cluster)).toBe(1)
  })

  it('waits for ever for a setup that never settles (E6b)', async () => {
    await using cluster = await startFakeCluster()
    const setup = vi.fn<Setup>(async (model) => {
      model.on('error', () => undefined)
      await new Promise(() => undefined)
    })
    const recovery = await recovering(cluster, setup)
    await vi.waitFor(() => expect(setup).toHaveBeenCalled())
    await restart(cluster)
    await afterManyDelays()
    expect(attempts(cluster)).toBe(1)
    expect(await isPending(recovery.waitForConnect())).toBe(true)
    await recovery.close()
  })

  it('lets an error escape and never comes back when nobody listens for errors (E6c)', async () => {
    await using cluster = await startFakeCluster()
    using uncaught = new Uncaught()
    const recovery = await recovering(cluster, () => Promise.resolve())
    await recovery.waitForConnect()
    await restart(cluster)
    expect(await uncaught.first()).toMatchObject({ code: 'ECONNRESET' })
    await afterManyDelays()
    expect(attempts(cluster)).toBe(1)
  })

  it('comes back by itself otherwise', async () => {
    await using cluster = await startFakeCluster()
    const recovery = await recovering(cluster, () => Promise.resolve())
    recovery.on('error', () => undefined)
    await recovery.waitForConnect()
    const back = new Promise((resolve) => recovery.on('connect', resolve))
    await restart(cluster)
    await back
    expect(attempts(cluster)).toBeGreaterThan(1)
    await recovery.close()
  })
})

async function restart(cluster: FakeCluster): Promise<void> {
  await cluster.node(1).kill()
  await cluster.node(1).start()
}
