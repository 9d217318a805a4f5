import { expect, test } from 'vitest'
import { startHarness } from './harness.ts'

const publishAfterLoss = async (
  { rabbit, cluster }: Awaited<ReturnType<typeof startHarness>>,
  timeoutMs = 10_000,
) => {
  await cluster.node(1).kill()
  return rabbit.publisher({ key: 'q' }).publish({}, { timeoutMs, mandatory: false })
}

test('a password function is called before each login', async () => {
  let calls = 0
  const harness = await startHarness({
    username: () => 'guest',
    password: async () => {
      calls += 1
      return 'guest'
    },
  })
  await harness.rabbit.publisher({ key: 'q' }).publish({}, { mandatory: false })
  const before = calls
  await publishAfterLoss(harness)
  expect(calls).toBeGreaterThan(before)
})

test('a wrong password is picked up as soon as the function returns the right one', async () => {
  let password = 'guest'
  const harness = await startHarness({ password: () => password, backoff: { maxMs: 200 } })
  await harness.rabbit.publisher({ key: 'q' }).publish({}, { mandatory: false })
  password = 'wrong'
  const sent = publishAfterLoss(harness)
  await expect.poll(() => harness.rabbit.health().publish.reason).toMatch(/ACCESS_REFUSED|403/)
  password = 'guest'
  expect(await sent).toMatchObject({ attempts: 1 })
})

test('a function that fails is named by its option, and what it threw is no part of the message', async () => {
  const { rabbit } = await startHarness({
    password: () => Promise.reject(new Error('vault token s3cret expired')),
  })
  const error: Error = await rabbit.ready({ timeoutMs: 500 }).then(
    () => new Error('ready'),
    (thrown) => thrown,
  )
  expect(error.message).toMatch(/the function of the option 'password' failed/)
  expect(JSON.stringify(error)).not.toMatch(/s3cret/)
})

test('a function that hangs is left at the end of the dial', async () => {
  const { rabbit } = await startHarness({
    password: () => new Promise<string>(() => undefined),
    dial: { attemptMs: 200 },
  })
  await expect(rabbit.ready({ timeoutMs: 1_000 })).rejects.toMatchObject({
    message: expect.stringMatching(/the function of the option 'password' has not answered for \d+ ms/),
  })
})

test.each(['addresses', 'username', 'password', 'tls'])(
  'a function of the option %s that hangs is the cause, before any dial was given up',
  async (option) => {
    const { rabbit } = await startHarness({ [option]: () => new Promise(() => undefined) })
    await expect(rabbit.ready({ timeoutMs: 100 })).rejects.toMatchObject({
      code: 'timed-out',
      cause: { message: expect.stringMatching(`^the function of the option '${option}' has not answered`) },
    })
  },
)

test('what a failing addresses function threw is in no error and no event', async () => {
  const told: unknown[] = []
  const { rabbit } = await startHarness({
    addresses: () => Promise.reject(new Error('http://user:s3cret@consul')),
  })
  rabbit.events.on('state', (event) => void told.push(event))
  const error = await rabbit.ready({ timeoutMs: 200 }).catch((thrown: unknown) => thrown)
  const text = JSON.stringify([error, told, rabbit.health()])
  expect(text).toMatch(/the function of the option 'addresses' failed \(Error\)/)
  expect(text).not.toMatch(/s3cret/)
})

test('a value that is neither text nor a function is refused without the value', async () => {
  await expect(startHarness({ password: { secret: 's3cret' } as never })).rejects.toMatchObject({
    code: 'config-invalid',
    message: expect.stringMatching(/^rabbit\.password: expected text or a function, got an? object$/),
  })
})

test('EXTERNAL without TLS is refused at the door', async () => {
  await expect(startHarness({ mechanism: 'EXTERNAL' })).rejects.toMatchObject({
    code: 'config-invalid',
    message: expect.stringMatching(
      /^rabbit\.mechanism: EXTERNAL logs in by the client certificate of rabbit\.tls/,
    ),
  })
})

test('name and password of one function are asked for once, and change together', async () => {
  const users = {
    old: { password: 'a', permissions: { '/': {} } },
    new: { password: 'b', permissions: { '/': {} } },
  }
  const all = { configure: '.*', read: '.*', write: '.*' }
  let current = { username: 'old', password: 'a' }
  let calls = 0
  const harness = await startHarness(
    {
      credentials: () => {
        calls += 1
        return current
      },
    },
    {
      users: {
        old: { ...users.old, permissions: { '/': all } },
        new: { ...users.new, permissions: { '/': all } },
      },
    },
  )
  await harness.rabbit.publisher({ key: 'q' }).publish({}, { mandatory: false })
  const before = calls
  current = { username: 'new', password: 'b' }
  expect(await publishAfterLoss(harness)).toMatchObject({ attempts: 1 })
  expect(calls).toBeGreaterThan(before)
})

test.each([
  [{ credentials: { username: 'u', password: 's3cret' } }, /^rabbit\.credentials: expected a function/],
  [
    { credentials: () => ({ username: 'u', password: 'p' }), password: 's3cret' },
    /^rabbit\.password: expected nothing/,
  ],
])('credentials that contradict are refused at the door, without the value: %#', async (options, message) => {
  await expect(startHarness(options as never)).rejects.toMatchObject({
    code: 'config-invalid',
    message: expect.stringMatching(message),
  })
})

test('credentials without a password are named, and nothing of them is repeated', async () => {
  const { rabbit } = await startHarness({ credentials: () => ({ username: 's3cret' }) as never })
  const error: Error = await rabbit.ready({ timeoutMs: 500 }).then(
    () => new Error('ready'),
    (thrown) => thrown,
  )
  expect(error.message).toMatch(/the function of the option 'credentials' failed/)
  expect(JSON.stringify(error)).not.toMatch(/s3cret/)
})

test('a new secret reaches the open connections', async () => {
  let token = 'guest'
  const { rabbit, cluster } = await startHarness({ password: () => token })
  await rabbit.publisher({ key: 'q' }).publish({}, { mandatory: false })
  token = 'newer'
  await rabbit.updateSecret()
  const sent = cluster.log.entries({ from: 'client', frame: 'connection.update-secret' })
  expect(sent).toHaveLength(1)
})

test('a certificate has no secret to update', async () => {
  const { rabbit } = await startHarness({ mechanism: 'EXTERNAL', tls: true })
  await expect(rabbit.updateSecret()).rejects.toMatchObject({ code: 'config-invalid' })
})
