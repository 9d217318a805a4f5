import { type Lab, openLab } from '@ha/bootstrap'
import { until } from '@ha/core/testing'
import { type Consumer, createRabbit, quorum, type Rabbit } from '@ha/rabbit'
import { connect } from 'amqplib'
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest'

describe('requests on a real cluster of three', () => {
  let lab: Lab
  const clients: Rabbit[] = []

  beforeAll(() => {
    lab = openLab(inject('lab'))
  })
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close({ timeoutMs: 2_000 })))
    for (const { name } of lab.nodes) await lab.resume(name)
    await lab.ready()
  })

  // Connected to the node of that number, and to the next ones when it is gone.
  const clientOf = (node: number, queue: string): Rabbit => {
    const endpoints = lab.nodes.map(({ endpoint }) => endpoint)
    const addresses = [...endpoints.slice(node), ...endpoints.slice(0, node)]
    const options = { strategy: 'sequential', failBackAfterMs: 600_000 } as const
    const client = createRabbit({ addresses, ...options, topology: { queues: { [queue]: quorum() } } })
    clients.push(client)
    return client
  }

  it('brings every pending call its reply when the node of its caller is killed', async () => {
    const queue = 'rpc.killed'
    const server = clientOf(1, queue)
    const waiting: (() => void)[] = []
    const answer = async ({ body }: { readonly body: number }): Promise<number> => {
      await new Promise<void>((resolve) => waiting.push(resolve))
      return body * 2
    }
    const responder: Consumer = server.respond<number, number>(queue, answer)
    await responder.ready()
    const caller = clientOf(0, queue)
    await caller.ready()
    const calls = Array.from({ length: 20 }, (_, i) =>
      caller.request<number>(queue, i, { timeoutMs: 60_000 }),
    )
    await until('all handlers wait', () => waiting.length === 20, 30_000)
    const killed = await lab.kill(lab.nodes[0]?.name ?? '')
    // Half of the replies are sent while the caller has no connection, the others after its failover.
    for (const goOn of waiting.splice(0, 10)) goOn()
    await until('the caller has moved', () => caller.health().lastFailover !== undefined, 30_000)
    for (const goOn of waiting.splice(0)) goOn()
    const replies = await Promise.all(calls)
    expect(replies.map(({ body }) => body)).toEqual(Array.from({ length: 20 }, (_, i) => i * 2))
    expect(caller.health().requests).toMatchObject({ pending: 0, bytes: 0 })
    await killed.heal()
  })

  it('understands responders and callers that are plain amqplib, also with direct reply-to', async () => {
    const queue = 'rpc.foreign'
    const client = clientOf(0, queue)
    await client.ready()
    const { host = '', port } = lab.nodes[1]?.endpoint ?? {}
    const foreign = await connect(`amqp://guest:guest@${host}:${port}`)
    const channel = await foreign.createChannel()
    const { consumerTag } = await channel.consume(queue, (message) => {
      if (message === null) return
      const { replyTo, correlationId } = message.properties
      channel.sendToQueue(replyTo, Buffer.from(`"${message.content} again"`), { correlationId })
      channel.ack(message)
    })
    expect((await client.request(queue, 7)).body).toBe('7 again')
    await channel.cancel(consumerTag)

    await client.respond<string>(queue, ({ body }) => `${body} too`).ready()
    const replied = new Promise((resolve) => {
      const onReply = (message: { content: Buffer; properties: { correlationId: unknown } } | null): void =>
        resolve([message?.content.toString(), message?.properties.correlationId])
      void channel.consume('amq.rabbitmq.reply-to', onReply, { noAck: true }).then(() => {
        const properties = { replyTo: 'amq.rabbitmq.reply-to', correlationId: 'c1' }
        channel.sendToQueue(queue, Buffer.from('"me"'), properties)
      })
    })
    const failed: unknown[] = []
    client.events.on('replyFailed', (event) => failed.push(event))
    expect(await replied).toEqual(['"me too"', 'c1'])
    await foreign.close()
    expect(failed).toEqual([])
  })
})
