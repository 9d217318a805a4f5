import { HaError } from '@ha/core'
import { describe, expect, it } from 'vitest'
import { classify } from '../../src/driver/error-classification.ts'

const reply = (code: number, text = ''): Error =>
  Object.assign(new Error(text), { code, classId: 50, methodId: 20 })
const lost = (serverCode?: number): HaError => new HaError('lost', 'gone', { serverCode })

describe('what an error means', () => {
  it.each<[string, unknown, string]>([
    ['a queue that does not exist', reply(404, "no queue 'x' in vhost '/'"), 'call none final'],
    [
      'a queue whose node is away',
      reply(404, "home node 'rabbit@n2' of durable queue 'x' in vhost '/' is down or inaccessible"),
      'call none transient',
    ],
    [
      'a queue that did not answer',
      reply(404, "failed to perform operation on queue 'x' due to timeout"),
      'call none transient',
    ],
    [
      'a missing permission',
      reply(403, "access to queue 'x' in vhost '/' refused for user 'u'"),
      'call none final',
    ],
    [
      'an old consumer not reaped yet',
      reply(403, "queue 'x' in vhost '/' in exclusive use"),
      'call none transient',
    ],
    ['an old owner not reaped yet', reply(405), 'call none transient'],
    ['other properties than those there are', reply(406), 'call none final'],
    ['a virtual host that does not exist', reply(530), 'cluster none final'],
    ['a node that stops', lost(320), 'endpoint unknown transient'],
    ['a socket that broke', lost(), 'endpoint unknown transient'],
    ['a connection closed for what was said on it', lost(541), 'connection unknown transient'],
    ['a silent node', new HaError('unresponsive', ''), 'endpoint unknown transient'],
    ['a stalled node', new HaError('stalled', ''), 'endpoint unknown transient'],
    ['a refused connection', new HaError('unreachable', ''), 'endpoint none transient'],
    ['wrong credentials', new HaError('refused', ''), 'cluster none final'],
    ['something unheard of', reply(999), 'call unknown transient'],
    [
      'a number of another world',
      Object.assign(new Error('try later'), { code: 503 }),
      'call unknown transient',
    ],
    ['an exchange that is to be made again', new HaError('exchange-missing', ''), 'call none transient'],
    ['nothing at all', undefined, 'call unknown transient'],
    ['a text', 'oops', 'call unknown transient'],
  ])('%s', (_, error, expected) => {
    const { scope, effect, transient } = classify(error)
    expect(`${scope} ${effect} ${transient ? 'transient' : 'final'}`).toBe(expected)
  })
})
