import { describe, expect, it } from 'vitest'
import { equivalentArguments, withRemedy } from '../../src/topology/equivalence.ts'

// The texts are those of RabbitMQ 3.10.8 as amqplib reports them.
const refused = (text: string): Error =>
  Object.assign(
    new Error(
      `Operation failed: QueueDeclare; 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - ${text}"`,
    ),
    { code: 406, classId: 50, methodId: 10 },
  )
const inequivalent = (name: string, received: string, current: string): Error =>
  refused(
    `inequivalent arg '${name}' for queue 'bill' in vhost '/': received ${received} but current is ${current}`,
  )
const valued = (value: string, type = 'longstr'): string => `the value '${value}' of type '${type}'`

describe('a queue that another service has declared in other words', () => {
  it.each<[string, Error, Record<string, unknown>, Record<string, unknown> | undefined]>([
    [
      'a type said aloud',
      inequivalent('x-queue-type', 'none', valued('classic')),
      {},
      { 'x-queue-type': 'classic' },
    ],
    [
      'an overflow said aloud',
      inequivalent('x-overflow', 'none', valued('drop-head')),
      {},
      { 'x-overflow': 'drop-head' },
    ],
    [
      'no single active consumer, said aloud',
      inequivalent('x-single-active-consumer', 'none', valued('false', 'bool')),
      { 'x-max-length': 5 },
      { 'x-max-length': 5, 'x-single-active-consumer': false },
    ],
    [
      'a mode said aloud',
      inequivalent('x-queue-mode', 'none', valued('default')),
      {},
      { 'x-queue-mode': 'default' },
    ],
    [
      'an overflow that is left out',
      inequivalent('x-overflow', valued('drop-head'), 'none'),
      { 'x-overflow': 'drop-head' },
      {},
    ],
    [
      'a group size, which counts at creation only',
      inequivalent('x-quorum-initial-group-size', 'none', valued('3', 'long')),
      { 'x-queue-type': 'quorum' },
      { 'x-queue-type': 'quorum', 'x-quorum-initial-group-size': 3 },
    ],
    [
      'another type',
      inequivalent('x-queue-type', valued('quorum'), valued('classic')),
      { 'x-queue-type': 'quorum' },
      undefined,
    ],
    ['another overflow', inequivalent('x-overflow', 'none', valued('reject-publish')), {}, undefined],
    ['lazy', inequivalent('x-queue-mode', 'none', valued('lazy')), {}, undefined],
    ['a limit', inequivalent('x-max-length', 'none', valued('5', 'signedint')), {}, undefined],
    ['anything else', refused('unknown'), {}, undefined],
  ])('with %s', (_, error, sent, expected) => {
    expect(equivalentArguments(sent, error)).toEqual(expected)
  })

  it.each<[Error, string | undefined]>([
    [inequivalent('x-max-length', 'none', valued('5', 'signedint')), 'declare it with maxMessages: 5'],
    [inequivalent('x-max-length', valued('5', 'signedint'), 'none'), 'declare it without maxMessages'],
    [
      inequivalent('x-overflow', 'none', valued('reject-publish')),
      "declare it with overflow: 'reject-publish'",
    ],
    [
      inequivalent('x-queue-mode', 'none', valued('lazy')),
      "declare it with arguments: { 'x-queue-mode': 'lazy' }",
    ],
    [inequivalent('x-queue-type', valued('quorum'), 'none'), 'declare it with classic()'],
    [inequivalent('x-queue-type', 'none', valued('stream')), 'declare it with stream()'],
    [
      inequivalent('x-queue-type', 'none', valued('x-other')),
      "declare it with classic({ arguments: { 'x-queue-type': 'x-other' } })",
    ],
    [inequivalent('durable', "'true'", "'false'"), 'declare it with durable: false'],
    [inequivalent('type', "'topic'", "'direct'"), "declare it with type: 'direct'"],
    [refused('unknown'), undefined],
  ])('names the difference and what to write: %s', (error, remedy) => {
    const { message, ...fields } = withRemedy(error)
    const end = remedy === undefined ? '' : `; ${remedy}, or with passive: true to use it as it is`
    expect(message).toBe(`${error.message}${end}`)
    expect(fields).toMatchObject({ code: 406, classId: 50 })
  })
})
