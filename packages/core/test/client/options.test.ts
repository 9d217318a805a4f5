import {
  addresses,
  backoff,
  balancing,
  callOptions,
  credentials,
  invalidOption,
  type OptionReader,
  optional,
  optionChecks,
  quoted,
  resolveOptions,
  secret,
  text,
  tls,
} from '@ha/core/driver'
import { describe, expect, it } from 'vitest'

function read<T>(reader: OptionReader<T>, value: unknown): T {
  return resolveOptions<{ readonly x: T }>({ x: reader }, { x: value }, 'client').x
}

describe('readers of options', () => {
  it.each([
    [undefined, undefined],
    [false, undefined],
    [true, {}],
    [{ ca: 'x' }, { ca: 'x' }],
  ])('reads %o as TLS', (given, expected) => expect(read(tls(), given)).toEqual(expected))

  it.each([
    [tls(), 'yes', 'client.x: expected true, false or the options of node:tls, got a string'],
    [secret(''), 7, 'client.x: expected text, got a number'],
    [credentials(''), 7, 'client.x: expected text or a function, got a number'],
    [addresses(1), [], 'client.x: expected at least one address'],
    [
      addresses(1),
      7,
      "client.x: expected 'host:port,host:port', a list of addresses, or a function that returns one",
    ],
    [backoff({ baseMs: 1, maxMs: 2 }), { baseMs: 0 }, 'client.x.baseMs: expected a whole number'],
    [optional(text('')), '', 'client.x: expected text that is not empty'],
  ])('refuses what cannot be used (%#)', (reader: OptionReader<unknown>, value, message) =>
    expect(() => read(reader, value)).toThrow(message),
  )

  it('asks a function for the credentials, and never names them', async () => {
    expect(await read(credentials('none'), undefined)()).toBe('none')
    expect(await read(credentials('none'), 'pw')()).toBe('pw')
    expect(await read(credentials('none'), async () => 'rotated')()).toBe('rotated')
    await expect(read(credentials('none'), () => 7)()).rejects.toThrow(
      'client.x(): expected text, got a number',
    )
  })

  it('reads addresses as text, as a list and from a function', async () => {
    const expected = [
      { host: 'a', port: 5672 },
      { host: 'b', port: 1 },
    ]
    expect(read(addresses(5672), 'a,b:1')).toEqual(expected)
    expect(read(addresses(5672), ['a', { host: 'b', port: 1 }])).toEqual(expected)
    const asked = read(addresses(5672), async () => ['a', 'b:1'])
    expect(await (asked as () => Promise<unknown>)()).toEqual(expected)
  })

  it('fills in the defaults of a back-off', () =>
    expect(read(backoff({ baseMs: 50, maxMs: 5_000 }), { maxMs: 9 })).toEqual({ baseMs: 50, maxMs: 9 }))

  it.each([
    ['random', 'random'],
    ['shuffle', 'random'],
    ['ordered', 'sequential'],
    [undefined, 'random'],
  ])('reads the balancing word %s as %s', (given, expected) =>
    expect(read(balancing(['random', 'sequential'], 'random'), given)).toBe(expected),
  )

  it.each(['least-busy', 'sticky', 'toString'])('refuses the word %s where it is not offered', (word) =>
    expect(() => read(balancing(['random', 'sequential'], 'random'), word)).toThrow(
      `client.x: expected one of random, sequential, got '${word}'`,
    ),
  )
})

describe('options of a call', () => {
  interface Options {
    readonly timeoutMs?: number
    readonly signal?: AbortSignal
    readonly route?: string
    readonly once?: boolean
    readonly key?: string
    readonly headers?: object
    readonly version?: unknown
    readonly priority?: number
  }
  const check = callOptions<Options>({
    table: {
      timeoutMs: optionChecks.timeoutMs,
      signal: optionChecks.signal,
      route: optionChecks.oneOf(['primary', 'replica']),
      once: optionChecks.flag,
      key: optionChecks.text,
      headers: optionChecks.object,
      version: optionChecks.any,
      priority: optionChecks.number,
    },
    invalid: invalidOption,
    otherNames: { routingKey: 'key' },
  })

  it('takes what fits', () => {
    check('query', undefined)
    const { signal } = new AbortController()
    check('query', {
      timeoutMs: 1,
      signal,
      route: 'replica',
      once: false,
      key: '',
      headers: {},
      version: 'v',
    })
    check('query', { timeoutMs: undefined } as unknown as Options)
  })

  it.each([
    [{ timeoutMs: 0 }, 'query.timeoutMs: expected a number of milliseconds from 1 to 2147483647'],
    [{ signal: {} }, 'query.signal: expected an AbortSignal'],
    [{ route: 'replca' }, "query.route: expected one of primary, replica; did you mean 'replica'?"],
    [{ once: 1 }, 'query.once: expected true or false'],
    [{ key: 7 }, 'query.key: expected a string, got a number'],
    [{ headers: null }, 'query.headers: expected an object, got null'],
    [{ priority: {} }, 'query.priority: expected a number, got an object'],
    [{ timoutMs: 1 }, "query.timoutMs: there is no such option; did you mean 'timeoutMs'?"],
    [{ routingKey: 'a' }, "query.routingKey: there is no such option; it is called 'key' here"],
    [null, 'query: expected an object of options'],
  ])('refuses %o', (given, message) => expect(() => check('query', given as Options)).toThrow(message))

  it('takes only what the call takes', () => {
    check('ready', { timeoutMs: 1 }, ['timeoutMs', 'signal'])
    expect(() => check('ready', { route: 'primary' }, ['timeoutMs', 'signal'])).toThrow(
      'ready.route: there is no such option',
    )
  })
})

describe('what cannot be read', () => {
  const throwing = {
    get x(): string {
      throw new TypeError('from a getter')
    },
  }

  it('is refused as an option, with the cause', () => {
    expect(() => resolveOptions({ x: text('a') }, throwing, 'client')).toThrow(
      expect.objectContaining({
        code: 'config-invalid',
        message: 'client: could not be read (TypeError)',
      }),
    )
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    expect(() => resolveOptions({ x: text('a') }, proxy, 'client')).toThrow(
      expect.objectContaining({ code: 'config-invalid' }),
    )
  })

  it.each([
    ['a map', new Map([['x', 'b']]), 'a Map'],
    ['a set', new Set(), 'a Set'],
    ['a date', new Date(0), 'a Date'],
    ['bytes', new Uint8Array(0), 'a Uint8Array'],
    ['a list', [], 'a list'],
    ['a promise', Promise.resolve(), 'a Promise'],
  ])('does not count as an object without options: %s', (_, given, words) => {
    const check = callOptions<{ x: string }>({ table: { x: optionChecks.text }, invalid: invalidOption })

    expect(() => resolveOptions({ x: text('a') }, given, 'client')).toThrow(
      `client: expected an object, got ${words}`,
    )
    expect(() => check('get', given as object)).toThrow(`get: expected an object of options, got ${words}`)
  })

  it('may be of a class, without a prototype, or a module', () => {
    class Given {
      readonly x = 'b'
    }
    const bare = Object.assign(Object.create(null), { x: 'b' })
    for (const given of [new Given(), bare, Object.assign(bare, { [Symbol.toStringTag]: 'Module' })])
      expect(resolveOptions({ x: text('a') }, given, 'client')).toMatchObject({ x: 'b' })
  })

  it('is refused as an option of a call when it is a revoked proxy', () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    const check = callOptions<{ x: string }>({ table: { x: optionChecks.text }, invalid: invalidOption })

    expect(() => check('get', proxy)).toThrow('get: could not be read (TypeError)')
    expect(() => check('get', { x: proxy as never })).toThrow('get.x: expected a string, got an object')
  })

  it('is refused as an option of a call, by its name', () => {
    const check = callOptions<{ x: string }>({
      table: { x: optionChecks.text },
      invalid: (path, problem) => invalidOption(path, problem),
    })
    expect(() => check('get', throwing)).toThrow('get.x: could not be read (TypeError)')
  })

  it.each([
    ['a text', 'a"b', '"a\\"b"'],
    ['a number', 5, '5'],
    ['a bigint', 5n, 'a bigint'],
    ['nothing', undefined, 'nothing'],
    ['a list', [], 'a list'],
    ['an object', { toJSON: () => Promise.reject(new Error('evil')) }, 'an object'],
  ])('is quoted by its type: %s', (_, value, words) => {
    expect(quoted(value)).toBe(words)
  })
})

describe('a function of addresses', () => {
  it('rejects without what the function of the application threw', async () => {
    const source = read(addresses(1), () => Promise.reject(new TypeError('http://user:s3cret@consul')))
    if (typeof source !== 'function') throw new Error('expected a function')
    const error = await source(new AbortController().signal).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'unreachable' })
    expect(String(error)).toMatch(/the function of the option 'addresses' failed \(TypeError\)$/)
    expect(JSON.stringify(error)).not.toMatch(/s3cret/)
  })
})
