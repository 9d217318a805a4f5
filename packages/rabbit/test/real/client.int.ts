import { execFile } from 'node:child_process'
import type { Socket } from 'node:net'
import { promisify } from 'node:util'
import { type Lab, openLab } from '@ha/bootstrap'
import { pause, until } from '@ha/core/testing'
import {
  classic,
  createRabbit,
  ephemeral,
  mirrored,
  quorum,
  type Rabbit,
  type RabbitOptions,
  topic,
} from '@ha/rabbit'
import { afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { settlement } from '../settlement.ts'

describe('a client of a real cluster of three', () => {
  let lab: Lab
  let rabbit: Rabbit
  let unhandled: unknown[]
  const note = (reason: unknown): void => void unhandled.push(reason)

  beforeAll(async () => {
    lab = openLab(inject('lab'))
  })
  beforeEach(() => {
    unhandled = []
    process.on('unhandledRejection', note)
  })
  afterEach(async () => {
    await rabbit.close({ timeoutMs: 2_000 })
    process.off('unhandledRejection', note)
    for (const { name } of lab.nodes) await lab.resume(name)
    await lab.ready()
    expect(unhandled).toEqual([])
  })

  // The first node of the lab is the one that clients are connected to.
  const connect = (options: Partial<RabbitOptions> = {}): Rabbit => {
    const addresses = lab.nodes.map(({ endpoint }) => endpoint)
    rabbit = createRabbit({ addresses, strategy: 'sequential', failBackAfterMs: 600_000, ...options })
    return rabbit
  }
  const first = (): string => lab.nodes[0]?.name ?? ''

  it.each(['kill', 'stop', 'pause'] as const)('keeps its word through a %s of its node', async (fault) => {
    const bill = `through.${fault}`
    connect({ topology: { queues: { [bill]: quorum() } } })
    const seen = new Set<unknown>()
    rabbit.consume<number>(bill, ({ body }) => void seen.add(body))
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: bill })
    const outcomes: Promise<string>[] = []
    const publishFor = async (ms: number): Promise<void> => {
      const endsAt = performance.now() + ms
      while (performance.now() < endsAt) {
        outcomes.push(settlement(publisher.publish(outcomes.length)))
        await pause(5)
      }
    }
    await publishFor(300)
    const lease = await lab[fault](first())
    await publishFor(1_000)
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['confirmed']))
    await lease.heal()
    await until('every confirmed message is seen', () => seen.size === outcomes.length, 30_000)
  })

  it('puts back what is gone with its node: the server-named queue, its binding and its consumer', async () => {
    connect({
      topology: {
        exchanges: { news: topic() },
        queues: { mine: ephemeral() },
        bindings: [{ exchange: 'news', queue: 'mine', key: '#' }],
      },
    })
    const seen: unknown[] = []
    rabbit.consume('mine', ({ body }) => void seen.push(body))
    await rabbit.ready()
    const before = rabbit.nameOf('mine')
    const publisher = rabbit.publisher({ exchange: 'news' })
    await publisher.publish('old')
    await lab.kill(first())
    await until('it has a new name', () => rabbit.nameOf('mine') !== before)
    await rabbit.ready()
    await publisher.publish('new')
    await until('it hears again', () => seen.includes('new'))
    expect(seen).toEqual(['old', 'new'])
  })

  it('fails only the guilty publish among two thousand', async () => {
    connect({ topology: { queues: { many: mirrored() } } })
    await rabbit.ready()
    const publisher = rabbit.publisher({ maxInFlight: 2_000 })
    const outcomes = Array.from({ length: 2_000 }, (_, i) =>
      settlement(
        i === 1_000 ? publisher.publish(i, { exchange: 'nope' }) : publisher.publish(i, { key: 'many' }),
      ),
    )
    const words = await Promise.all(outcomes)
    expect(words[1_000]).toBe('exchange-missing not-done')
    expect(words.filter((word) => word !== 'confirmed')).toHaveLength(1)
    expect(await settlement(publisher.publish(0, { key: 'nobody' }))).toBe('unroutable not-done')
  })

  it('tells of a conflict once, and the rest lives', async () => {
    connect()
    await rabbit.withChannel((channel) => channel.assertQueue('taken', { durable: false }))
    await rabbit.close()
    connect({ topology: { queues: { taken: quorum(), free: quorum() } } })
    const conflicts: string[] = []
    rabbit.events.on('topologyConflict', ({ key }) => void conflicts.push(key))
    await expect(rabbit.ready()).rejects.toMatchObject({ code: 'topology-conflict', serverCode: 406 })
    expect(await settlement(rabbit.publisher({ key: 'free' }).publish({}))).toBe('confirmed')
    expect(conflicts).toEqual(['queue taken'])
  })

  it('consumes again when its queue was deleted under it', async () => {
    connect({ topology: { queues: { gone: mirrored() } } })
    const seen: unknown[] = []
    const lost: string[] = []
    rabbit.events.on('consumerLost', ({ queue }) => void lost.push(queue))
    rabbit.consume('gone', ({ body }) => void seen.push(body))
    await rabbit.ready()
    await rabbit.withChannel((channel) => channel.deleteQueue('gone'))
    await until('it is told', () => lost.length > 0)
    await until('it consumes again', () => rabbit.health().consumers[0]?.status === 'consuming')
    await rabbit.publisher({ key: 'gone' }).publish('back')
    await until('it hears again', () => seen.length > 0)
    expect([seen, lost]).toEqual([['back'], ['gone']])
  })

  // Of 500 quorum queues that were deleted under their consumers, RabbitMQ 3.10 sent `basic.cancel` for 483.
  it('consumes again when its quorum queue was deleted, whether it is told or not', async () => {
    connect({ topology: { queues: { 'gone.quorum': quorum() } } })
    const seen: unknown[] = []
    rabbit.consume('gone.quorum', ({ body }) => void seen.push(body))
    await rabbit.ready()
    await rabbit.withChannel((channel) => channel.deleteQueue('gone.quorum'))
    const publisher = rabbit.publisher({ key: 'gone.quorum' })
    const endsAt = performance.now() + 20_000
    let outcome = ''
    while (outcome !== 'confirmed' && performance.now() < endsAt) {
      outcome = await settlement(publisher.publish('back'))
      await pause(100)
    }
    await until('it hears again', () => seen.length > 0)
    expect([outcome, seen]).toEqual(['confirmed', ['back']])
  })

  it('runs a handler that outlived the broker’s consumer timeout, and then goes on', async () => {
    const set = (name: string, value: number): Promise<string> =>
      lab.ctl(first(), ['eval', `application:set_env(rabbit, ${name}, ${value}).`])
    await set('channel_tick_interval', 200)
    await set('consumer_timeout', 500)
    connect({ topology: { queues: { slow: quorum() } } })
    const lost: string[] = []
    rabbit.events.on('consumerLost', ({ queue }) => void lost.push(queue))
    const runs: unknown[] = []
    rabbit.consume('slow', async ({ body }) => {
      runs.push(body)
      if (body === 'slow') await until('its channel was taken', () => lost.length > 0)
    })
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: 'slow' })
    await publisher.publish('slow')
    await until('its channel was taken', () => lost.length > 0)
    await publisher.publish('next')
    await until('the next one is handled', () => runs.includes('next'))
    expect(runs).toEqual(['slow', 'next'])
    await set('consumer_timeout', 1_800_000)
    await set('channel_tick_interval', 60_000)
  })

  it('waits while the broker is short of memory, and fails over to nobody', async () => {
    connect({ topology: { queues: { bill: quorum() } } })
    const failovers: unknown[] = []
    rabbit.events.on('failover', (event) => void failovers.push(event))
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: 'bill' })
    await publisher.publish('before')
    await lab.ctl(first(), ['set_vm_memory_high_watermark', '0.00001'])
    const outcomes = Array.from({ length: 10 }, (_, i) => settlement(publisher.publish(i)))
    await until('it is blocked', () => rabbit.health().publish.state === 'suspended')
    await pause(3_000)
    await lab.ctl(first(), ['set_vm_memory_high_watermark', '0.6'])
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['confirmed']))
    expect(failovers).toEqual([])
  })

  it('lets the process end by itself after close(), and says what was done', async () => {
    connect()
    const program = `
      import { createRabbit, quorum } from '@ha/rabbit'
      const rabbit = createRabbit({ addresses: process.argv[1], topology: { queues: { bye: quorum() } } })
      rabbit.consume('bye', () => undefined)
      const publisher = rabbit.publisher({ key: 'bye' })
      for (let i = 0; i < 100; i++) void publisher.publish(i)
      console.log(JSON.stringify(await rabbit.close()))`
    const address = lab.nodes.map(({ endpoint }) => `${endpoint.host}:${endpoint.port}`).join()
    const args = ['--input-type=module', '--eval', program, address]
    const cwd = new URL('../..', import.meta.url)
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, timeout: 20_000 })
    expect(JSON.parse(stdout)).toEqual({ confirmed: 100, unknown: 0, notSent: 0, abandoned: 0 })
  })

  it('goes on in a stream behind the last message that it has handled', async () => {
    const stream = 'goes.on'
    connect({ topology: { queues: { [stream]: classic({ arguments: { 'x-queue-type': 'stream' } }) } } })
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: stream })
    const times = new Map<unknown, number>()
    let failures = 3
    const consumer = rabbit.consume(
      stream,
      ({ body }) => {
        if (body === 5 && failures-- > 0) throw new Error('not yet')
        times.set(body, (times.get(body) ?? 0) + 1)
      },
      { prefetch: 5, requeueDelayMs: 50 },
    )
    await consumer.ready()
    let sent = 0
    for (let round = 0; round < 3; round += 1) {
      const end = sent + 20
      for (; sent < end; sent += 1) await publisher.publish(sent)
      const generation = rabbit.health().consume.generation
      const model = rabbit.unwrap().consume as unknown as { readonly connection: { readonly stream: Socket } }
      model.connection.stream.destroy(new Error('cut'))
      for (const to = sent + 20; sent < to; sent += 1) await publisher.publish(sent)
      await until('it has another connection', () => rabbit.health().consume.generation > generation)
    }
    await until('all are handled', () => times.size === sent)
    expect([...times.values()].filter((count) => count > 2)).toEqual([])
    await rabbit.withChannel((channel) => channel.deleteQueue(stream))
  })

  // The counts and the expiry are the broker's: `HACTL_ROOT` runs this against another release.
  it.each(['limit', 'retry'] as const)('dead-letters what always fails (%s)', async (how) => {
    const queue = `fails.${how}`
    const grave = `${queue}.grave`
    const settings = { deadLetterExchange: '', deadLetterKey: grave }
    const spec = how === 'limit' ? quorum({ ...settings, deliveryLimit: 2 }) : classic(settings)
    connect({ topology: { queues: { [queue]: spec, [grave]: quorum() } } })
    const failures: string[] = []
    rabbit.events.on('handlerFailed', ({ attempt, answer }) => failures.push(`${attempt} ${answer}`))
    const dead: unknown[] = []
    rabbit.consume(grave, ({ body }) => void dead.push(body))
    rabbit.consume(
      queue,
      () => Promise.reject(new Error('never')),
      how === 'limit' ? { requeueDelayMs: 20 } : { retry: { attempts: 3, delaysMs: [100] } },
    )
    await rabbit.ready()
    await rabbit.publisher({ key: queue }).publish({ total: 7 })
    await until('it is dead-lettered', () => dead.length === 1)
    expect(dead).toEqual([{ total: 7 }])
    const again = how === 'limit' ? 'requeue' : 'retry'
    expect(failures).toEqual([`1 ${again}`, `2 ${again}`, how === 'limit' ? '3 requeue' : '3 reject'])
  })
})
