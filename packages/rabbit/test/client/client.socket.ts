import { pause, until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { createRabbit, quorum, topic } from '../../src/index.ts'
import { settlement } from '../settlement.ts'
import { startHarness } from './harness.ts'

const topology = { queues: { bill: quorum() } }

describe('being ready', () => {
  it('means connected, declared and consuming', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    rabbit.consume('bill', () => undefined)
    rabbit.publisher()
    await rabbit.ready()
    expect(rabbit.health()).toMatchObject({ state: 'ready', consumers: [{ status: 'consuming' }] })
    expect(cluster.connections).toHaveLength(2)
  })

  it('of a client that has nothing to do yet shows that it can connect', async () => {
    const { rabbit } = await startHarness()
    await rabbit.ready()
    expect(rabbit.health().publish.state).toBe('ready')
  })

  it('is refused at once with wrong credentials, and the password is nowhere', async () => {
    const { rabbit } = await startHarness({ password: 's3ntinel', topology })
    const error = await rabbit.ready().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'refused', outcome: 'not-done', attempts: { length: 3 } })
    expect(
      `${(error as Error).stack} ${JSON.stringify(error)} ${JSON.stringify(rabbit.health())}`,
    ).not.toContain('s3ntinel')
  })

  it('is refused at once with a virtual host that does not exist', async () => {
    const { rabbit } = await startHarness({ vhost: 'nowhere' })
    await expect(rabbit.ready()).rejects.toMatchObject({ code: 'refused' })
  })

  it('is timed out with the reason when nobody is there', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    await expect(rabbit.ready({ timeoutMs: 300 })).rejects.toMatchObject({
      code: 'timed-out',
      message: expect.stringMatching(
        /not ready within 300 ms: consume is \w+ \(no amqp endpoint could be reached/,
      ),
    })
  })

  it('is not had while something declared conflicts; everything else lives', async () => {
    const { rabbit, events } = await startHarness(
      {
        topology: {
          exchanges: { orders: topic() },
          queues: { bill: quorum(), odd: quorum() },
          bindings: [{ exchange: 'orders', queue: 'odd', key: '#' }],
        },
      },
      {},
    )
    await rabbit.withChannel((channel) => channel.assertQueue('taken')).catch(() => undefined)
    const second = createRabbit({
      addresses: rabbit.health().consume.members.map(({ endpoint }) => endpoint),
      topology: { exchanges: { orders: { type: 'fanout' } }, queues: { bill: quorum(), fresh: quorum() } },
    })
    const conflicts: string[] = []
    second.events.on(
      'topologyConflict',
      ({ key, error }) => void conflicts.push(`${key} ${error.code} ${String(error.serverCode)}`),
    )
    await expect(second.ready()).rejects.toMatchObject({ code: 'topology-conflict', serverCode: 406 })
    const publisher = second.publisher({ key: 'fresh' })
    expect(await settlement(publisher.publish({}))).toBe('confirmed')
    expect(conflicts).toEqual(['exchange orders topology-conflict 406'])
    expect(events).toEqual([])
    await second.close()
  })
})

describe('the end of a client', () => {
  it('drains what is under way, and counts it', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    cluster.script({ when: { from: 'client', frame: 'basic.publish' }, do: 'delay', delayMs: 100 })
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: 'bill' })
    const outcomes = Array.from({ length: 5 }, () => settlement(publisher.publish({})))
    expect(await rabbit.drain()).toEqual({ confirmed: 5, unknown: 0, notSent: 0, abandoned: 0 })
    expect(await Promise.all(outcomes)).toEqual(Array(5).fill('confirmed'))
    expect(await settlement(publisher.publish({}))).toBe('closed not-done')
  })

  it('lets handlers publish what they have made of their last messages', async () => {
    const { rabbit, cluster } = await startHarness({
      topology: { queues: { bill: quorum(), out: quorum() } },
    })
    const publisher = rabbit.publisher()
    let started = false
    rabbit.consume('bill', async () => {
      started = true
      await pause(150)
      await publisher.publish({}, { key: 'out' })
    })
    await publisher.publish({}, { key: 'bill' })
    await until('it is at work', () => started)
    expect(await rabbit.drain()).toMatchObject({ abandoned: 0, unknown: 0 })
    expect(cluster.queue('out')?.ready).toBe(1)
  })

  it('is finite and honest while the node is frozen', async () => {
    const { rabbit, cluster } = await startHarness({ topology, liveness: { probeAfterMs: 60_000 } })
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: 'bill', maxInFlight: 2 })
    await publisher.publish({})
    for (const node of cluster.nodes) node.freeze()
    const outcomes = Array.from({ length: 5 }, () => settlement(publisher.publish({})))
    const fromMs = performance.now()
    const report = await rabbit.close({ timeoutMs: 800 })
    expect(performance.now() - fromMs).toBeLessThan(1_300)
    expect(report).toEqual({ confirmed: 0, unknown: 2, notSent: 3, abandoned: 0 })
    expect(await Promise.all(outcomes)).toEqual([
      ...Array(2).fill('closed unknown'),
      ...Array(3).fill('closed not-done'),
    ])
  })

  it('is the same for everybody who asks', async () => {
    const { rabbit } = await startHarness({ topology })
    await rabbit.ready()
    expect(rabbit.close()).toBe(rabbit.close())
    expect(await rabbit.close()).toEqual(await rabbit.drain())
  })

  it('comes with the block that made it', async () => {
    const { cluster } = await startHarness()
    {
      await using rabbit = createRabbit({ addresses: cluster.addresses })
      await rabbit.ready()
    }
    await until('nobody is connected', () => cluster.connections.length === 0)
  })

  it('is possible before it was ever connected, and in the middle of a dial', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    await createRabbit({ addresses: cluster.addresses }).close()
    for (const node of cluster.nodes) node.freeze()
    const waiting = settlement(rabbit.ready())
    await pause(150)
    await rabbit.close({ timeoutMs: 500 })
    expect(await waiting).toBe('closed not-done')
  })

  it('turns away whatever comes after it', async () => {
    const { rabbit } = await startHarness()
    await rabbit.close()
    expect(() => rabbit.publisher()).toThrow('the client is closed')
    expect(() => rabbit.consume('bill', () => undefined)).toThrow('the client is closed')
    expect(await settlement(rabbit.withChannel(async () => 1))).toBe('closed not-done')
    expect(await settlement(rabbit.ready())).toBe('closed not-done')
  })
})

describe('a channel of one’s own', () => {
  it('is lent for as long as the work takes', async () => {
    const { rabbit } = await startHarness({ topology })
    expect(
      await rabbit.withChannel((channel) => channel.checkQueue('bill').catch(() => 'none')),
    ).toBeDefined()
  })

  it('brings the broker’s refusal, and nothing else ends', async () => {
    const { rabbit } = await startHarness({ topology })
    await expect(rabbit.withChannel((channel) => channel.checkQueue('nope'))).rejects.toMatchObject({
      code: 'rejected',
      outcome: 'not-done',
      cause: { code: 404 },
    })
    expect(rabbit.health().consume.generation).toBe(1)
  })

  it('is had again elsewhere only where twice is harmless', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    await rabbit.ready()
    cluster.script({ when: { from: 'client', frame: 'queue.purge', node: 1 }, do: 'cut', how: 'reset' })
    expect(await settlement(rabbit.withChannel((channel) => channel.purgeQueue('bill')))).toBe(
      'outcome-unknown unknown',
    )
  })
})

describe('the driver’s own connections', () => {
  it('can be had', async () => {
    const { rabbit } = await startHarness({ topology })
    await rabbit.ready()
    expect(Object.keys(rabbit.unwrap())).toEqual(['consume'])
  })
})
