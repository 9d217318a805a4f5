import { describe, expect, it } from 'vitest'
import {
  checked,
  count,
  flag,
  group,
  milliseconds,
  type OptionTable,
  oneOf,
  resolveOptions,
  text,
} from '../../src/client/options.ts'
import { HaError } from '../../src/errors/ha-error.ts'

interface Example {
  readonly name: string
  readonly strategy: 'shuffle' | 'ordered'
  readonly dial: { readonly attemptMs: number; readonly parallel: number }
  readonly waitMs: number
  readonly strict: boolean
  readonly even: number
  readonly length: number
}

const even = (value: unknown, path: string): number => {
  if (value === undefined || Number(value) % 2 === 0) return Number(value ?? 2)
  throw new HaError('config-invalid', `${path}: expected an even number`)
}

const table: OptionTable<Example> = {
  name: text('anonymous'),
  strategy: oneOf(['shuffle', 'ordered'], 'shuffle'),
  dial: group({
    attemptMs: milliseconds({ default: 3_000, min: 0, max: 60_000 }),
    parallel: count({ default: 2, min: 1, max: 8 }),
  }),
  waitMs: milliseconds({ default: 5, min: 1, max: 10, orNever: true }),
  strict: flag(true),
  even: checked(even, 2),
  // A check that takes for granted what it was given.
  length: checked((value = '', path) => (value as string).trim().length + path.length * 0, 0),
}

const resolve = (input: unknown): Example => resolveOptions(table, input, 'options')

describe('options', () => {
  it('take their defaults when nothing is given', () => {
    expect(resolve(undefined)).toEqual({
      name: 'anonymous',
      strategy: 'shuffle',
      dial: { attemptMs: 3_000, parallel: 2 },
      waitMs: 5,
      strict: true,
      even: 2,
      length: 0,
    })
  })

  it('take their defaults where undefined is given', () => {
    const absent = { attemptMs: undefined, parallel: undefined }
    const given = { name: undefined, strategy: undefined, waitMs: undefined, strict: undefined }
    const others = { even: undefined, length: undefined, colour: undefined }
    expect(resolve({ ...given, ...others, dial: absent })).toEqual(resolve({}))
    expect(resolve({ dial: undefined })).toEqual(resolve({}))
  })

  it('take zero for zero, false for false and Infinity for never', () => {
    const { dial, strict, waitMs } = resolve({ dial: { attemptMs: 0 }, strict: false, waitMs: Infinity })
    expect([dial.attemptMs, strict, waitMs]).toEqual([0, false, Infinity])
  })

  it('are frozen all the way down, and the caller’s own object is not touched', () => {
    const given = { dial: { attemptMs: 7 } }
    const resolved = resolve(given)
    expect(Object.isFrozen(resolved) && Object.isFrozen(resolved.dial)).toBe(true)
    given.dial.attemptMs = 9
    expect(resolved.dial.attemptMs).toBe(7)
  })

  it.each<[unknown, string]>([
    [{ startegy: 'ordered' }, "options.startegy: there is no such option; did you mean 'strategy'?"],
    [{ colour: 1 }, 'options.colour: there is no such option'],
    [
      { dial: { attemptMS: 7, paralel: 2 } },
      "options.dial.attemptMS: there is no such option; did you mean 'attemptMs'?",
    ],
    [
      { strategy: 'orderd' },
      "options.strategy: expected one of shuffle, ordered, got 'orderd'; did you mean 'ordered'?",
    ],
    [{ strategy: 3 }, 'options.strategy: expected one of shuffle, ordered, got 3'],
    [
      { dial: { attemptMs: '3s' } },
      "options.dial.attemptMs: expected a whole number of milliseconds from 0 to 60000, got '3s'",
    ],
    [
      { dial: { attemptMs: Number.NaN } },
      'options.dial.attemptMs: expected a whole number of milliseconds from 0 to 60000, got NaN',
    ],
    [{ dial: { parallel: 9 } }, 'options.dial.parallel: expected a whole number from 1 to 8, got 9'],
    [
      { dial: { attemptMs: Infinity } },
      'options.dial.attemptMs: expected a whole number of milliseconds from 0 to 60000, got Infinity',
    ],
    [
      { waitMs: 0 },
      'options.waitMs: expected a whole number of milliseconds from 1 to 10, or Infinity, got 0',
    ],
    [{ dial: null }, 'options.dial: expected an object, got null'],
    [{ dial: [] }, 'options.dial: expected an object, got a list'],
    [{ strict: 'yes' }, "options.strict: expected true or false, got 'yes'"],
    [{ name: '' }, 'options.name: expected text that is not empty'],
    [{ name: {} }, 'options.name: expected text, got an object'],
    [{ name: null }, 'options.name: expected text, got null'],
    [{ strategy: null }, 'options.strategy: expected one of shuffle, ordered, got null'],
    [
      { dial: { attemptMs: null } },
      'options.dial.attemptMs: expected a whole number of milliseconds from 0 to 60000, got null',
    ],
    [{ dial: { parallel: null } }, 'options.dial.parallel: expected a whole number from 1 to 8, got null'],
    [
      { waitMs: null },
      'options.waitMs: expected a whole number of milliseconds from 1 to 10, or Infinity, got null',
    ],
    [{ strict: null }, 'options.strict: expected true or false, got null'],
    [{ even: null }, 'options.even: expected a value, got null'],
    [{ length: null }, 'options.length: expected something else, got null'],
    [{ length: 7 }, 'options.length: expected something else, got a number'],
    [null, 'options: expected an object, got null'],
    [{ even: 3 }, 'options.even: expected an even number'],
    ['fast', 'options: expected an object, got a string'],
    [{ __proto__: null, constructor: 1 }, 'options.constructor: there is no such option'],
  ])('reject %j and say where', (input, message) => {
    expect(() => resolve(input)).toThrow(message)
  })

  it('tell everything that is wrong at once', () => {
    expect(() => resolve({ strict: 1, waitMs: 99, dial: { paralel: 1 } })).toThrow(
      expect.objectContaining({
        code: 'config-invalid',
        message: expect.stringMatching(/paralel.*\n.*waitMs.*\n.*strict/),
      }),
    )
  })
})
