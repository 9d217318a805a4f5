import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createRabbit, Rabbit } from '../../src/index.ts'

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function unreachable(): Promise<Rabbit> {
  const rabbit = createRabbit(`amqp://guest:guest@127.0.0.1:${await closedPort()}`)
  onTestFinished(async () => void (await rabbit.close({ timeoutMs: 100 })))
  return rabbit
}

test('a publish that timed out says why there is no connection', async () => {
  const rabbit = await unreachable()

  await expect(rabbit.publisher({ key: 'q' }).publish({}, { timeoutMs: 500 })).rejects.toMatchObject({
    code: 'timed-out',
    outcome: 'not-done',
    message: expect.stringMatching(/no connection: .*ECONNREFUSED/),
    cause: expect.objectContaining({ code: 'unreachable' }),
  })
})

test('TLS spoken to a plain port is said in words', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(Buffer.from('AMQP\0\0\x09\x01')))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const rabbit = createRabbit(`amqps://guest:guest@127.0.0.1:${port}`)
  onTestFinished(async () => {
    await rabbit.close({ timeoutMs: 100 })
    server.close()
  })

  await expect(rabbit.publisher({ key: 'q' }).publish({}, { timeoutMs: 500 })).rejects.toMatchObject({
    message: expect.stringMatching(/the server does not speak TLS on this port/),
  })
})

test('the event of the state says why there is no connection', async () => {
  const rabbit = await unreachable()
  const reasons: (string | undefined)[] = []
  rabbit.events.on('state', ({ error }) => reasons.push(error?.message))

  rabbit.consume('q', () => undefined)

  await expect.poll(() => reasons.join(' ')).toMatch(/ECONNREFUSED/)
})

test('new instead of the factory is refused by name', () => {
  expect(() => new (Rabbit as unknown as new (url: string) => Rabbit)('amqp://h')).toThrow(
    expect.objectContaining({ code: 'config-invalid', message: 'new: use createRabbit(options) instead' }),
  )
})
