import { FakeClock } from '@ha/core/testing'
import { expect, it } from 'vitest'
import { type FakeCluster, startFakeCluster } from '../../src/rabbit/index.ts'
import { type Client, client, consume, send } from './client.ts'
import { openRawClient } from './raw-client.ts'

// One file, one worker: the handles of other tests would be counted here.

it('a closed cluster leaves no socket and no port behind', async () => {
  const before = sockets()
  const cluster = await startFakeCluster({ nodes: 2 })
  const clients = await busyClients(cluster)
  const ended = clients.map(({ socket }) => new Promise((resolve) => socket.on('close', resolve)))
  await cluster.close()
  await Promise.all(ended)
  expect(sockets()).toEqual(before)
})

it('a closed cluster leaves no timer behind, whatever its clients were at', async () => {
  const clock = new FakeClock()
  const cluster = await startFakeCluster({ nodes: 2, clock })
  await busyClients(cluster)
  cluster.script({ when: { from: 'client', frame: 'queue.declare' }, do: 'delay', delayMs: 60_000 })
  const late = await client(cluster.node(1))
  void late.channel.assertQueue('late').catch(() => undefined)
  await cluster.log.until({ from: 'client', frame: 'queue.declare' }, { count: 2 })
  const left = await openRawClient(cluster.url)
  cluster.closeConnection(4)
  await left.refusal()
  expect(clock.pending).toBeGreaterThan(0)
  await cluster.close()
  expect(clock.pending).toBe(0)
})

// One with heartbeats and messages that will expire, one that holds a message on a node that freezes.
async function busyClients(cluster: FakeCluster): Promise<readonly [Client, Client]> {
  const [one, two] = await pair(cluster)
  await one.channel.assertQueue('q', { messageTtl: 60_000 })
  await send(one.channel, 'q', 'a')
  await two.channel.prefetch(1)
  await (await consume(two.channel, 'q')).until(1)
  await send(one.channel, 'q', 'b')
  cluster.node(2).freeze()
  return [one, two]
}

async function pair(cluster: FakeCluster): Promise<readonly [Client, Client]> {
  return [await client(cluster.node(1), '?heartbeat=1'), await client(cluster.node(2))]
}

function sockets(): readonly string[] {
  return process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCP'))
}
