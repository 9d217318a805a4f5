import dns from 'node:dns'
import { afterEach, expect, test, vi } from 'vitest'
import { AddressDialer } from '../../src/client/sockets.ts'
import { HaError } from '../../src/errors/ha-error.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'

const never = new AbortController().signal
const name = { host: 'servers.test', port: 5672 }

afterEach(() => {
  vi.restoreAllMocks()
})

// The answers of the resolver, one after the other; the last one stays.
function resolves(...answers: readonly (readonly string[] | Error)[]): void {
  const left = [...answers]
  const lookup = (
    _host: string,
    _options: unknown,
    done: (error: Error | null, found?: unknown) => void,
  ): void => {
    const answer = left.length > 1 ? left.shift() : left[0]
    if (answer instanceof Error) done(answer)
    else
      done(
        null,
        answer?.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )
  }
  vi.spyOn(dns, 'lookup').mockImplementation(lookup as never)
}

function dialerOf(behave: Readonly<Record<string, 'answers' | 'hangs' | Error>>) {
  const clock = new FakeClock()
  const dialer = new AddressDialer(clock)
  const dialled: (string | undefined)[] = []
  const dial = (signal: AbortSignal = never): Promise<string | undefined> =>
    dialer.open(name, signal, (address, inner) => {
      dialled.push(address)
      const how = behave[address ?? 'name']
      if (how instanceof Error) return Promise.reject(how)
      if (how === 'answers') return Promise.resolve(address)
      return new Promise((_, reject) => inner.addEventListener('abort', () => reject(inner.reason)))
    })
  return { clock, dialled, dial }
}

test('an address that hangs is left after two seconds, and the one that answered comes first from then on', async () => {
  resolves(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
  const { clock, dialled, dial } = dialerOf({ '10.0.0.1': 'hangs', '10.0.0.2': 'answers' })
  const dialling = dial()
  await clock.advance(2_000)
  expect(await dialling).toBe('10.0.0.2')
  expect(await dial()).toBe('10.0.0.2')
  expect(dialled).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.2'])
})

test('an address that refuses costs no time: IPv6 and then IPv4', async () => {
  resolves(['::1', '127.0.0.1'])
  const { dial } = dialerOf({ '::1': new Error('connect ECONNREFUSED ::1'), '127.0.0.1': 'answers' })
  expect(await dial()).toBe('127.0.0.1')
})

test('a dial that ends while an address hangs begins with the next address the next time', async () => {
  resolves(['10.0.0.1', '10.0.0.2'])
  const { clock, dialled, dial } = dialerOf({ '10.0.0.1': 'hangs', '10.0.0.2': 'answers' })
  const scope = new AbortController()
  const dialling = dial(scope.signal)
  dialling.catch(() => undefined)
  await clock.advance(500)
  scope.abort(new Error('the time is up'))
  await expect(dialling).rejects.toThrow('the time is up')
  await dial()
  expect(dialled).toEqual(['10.0.0.1', '10.0.0.2'])
})

test('addresses that change while the client runs are used at the next dial', async () => {
  resolves(['10.0.0.1', '10.0.0.2'], ['10.0.0.8', '10.0.0.9'])
  const { dial } = dialerOf({ '10.0.0.1': 'answers', '10.0.0.9': 'answers', '10.0.0.8': new Error('gone') })
  expect([await dial(), await dial()]).toEqual(['10.0.0.1', '10.0.0.9'])
})

test('when no address answers, the error says what each of them said', async () => {
  resolves(['10.0.0.1', '10.0.0.2'])
  const { dial } = dialerOf({ '10.0.0.1': new Error('no route'), '10.0.0.2': new Error('refused') })
  await expect(dial()).rejects.toMatchObject({
    code: 'unreachable',
    message: 'servers.test:5672: 10.0.0.1:5672: no route; 10.0.0.2:5672: refused',
  })
})

test('a server that refuses does not hide the others of its name', async () => {
  resolves(['10.0.0.1', '10.0.0.2'])
  const { dial } = dialerOf({ '10.0.0.1': new HaError('refused', 'no such vhost'), '10.0.0.2': 'answers' })
  expect(await dial()).toBe('10.0.0.2')
})

test('what all servers of a name refuse is refused', async () => {
  resolves(['10.0.0.1', '10.0.0.2'])
  const wrong = new HaError('refused', 'wrong password', { serverCode: 403 })
  const { dial } = dialerOf({ '10.0.0.1': wrong, '10.0.0.2': wrong })
  await expect(dial()).rejects.toMatchObject({ code: 'refused', serverCode: 403 })
})

test('a name that does not resolve, and one with a single address, are left to the socket', async () => {
  resolves(new Error('getaddrinfo EAI_AGAIN servers.test'), ['10.0.0.1'])
  const { dialled, dial } = dialerOf({ name: 'answers' })
  await dial()
  await dial()
  expect(dialled).toEqual([undefined, undefined])
})

test('the name and each address stand once in the error', async () => {
  resolves(['10.0.0.1', '10.0.0.2'])
  const { dial } = dialerOf({
    '10.0.0.1': new Error('servers.test:5672: connect ECONNREFUSED'),
    '10.0.0.2': new Error('10.0.0.2:5672: closed'),
  })

  await expect(dial()).rejects.toThrow(
    /^servers.test:5672: 10.0.0.1:5672: connect ECONNREFUSED; 10.0.0.2:5672: closed$/,
  )
})
