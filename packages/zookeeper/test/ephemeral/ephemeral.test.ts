import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Ephemeral } from '../../src/recipes/ephemeral.ts'
import { type Harness, type Member, openHarness, sessionMs, tickMs } from '../harness.ts'

const path = '/services/gateway/one'

let harness: Harness
let ours: Member

beforeEach(async () => {
  harness = await openHarness()
  ours = harness.member()
})

afterEach(() => harness.close())

async function held({ client }: Member = ours, data = 'mine'): Promise<Ephemeral> {
  const ephemeral = client.ephemeral(path, data)
  await harness.inTime(ephemeral.ready())
  return ephemeral
}

/** The node at the path in the committed tree. */
function there(at = path): string | undefined {
  return harness.ensemble.tree().get(at)?.data?.toString()
}

/** The changes of the path, transaction by transaction. */
function story(at = path): readonly string[] {
  return harness.ensemble
    .history()
    .map(({ changes }) => changes.filter((change) => change.path === at).map(({ kind }) => kind))
    .filter((kinds) => kinds.length > 0)
    .map((kinds) => kinds.join(' and '))
}

describe('an ephemeral', () => {
  it('is there, with the parents that it needs, while its session is', async () => {
    const ephemeral = await held()

    expect(there()).toBe('mine')
    expect(harness.ensemble.owners().get(ours.client.session!.id)).toEqual([path])
    expect(ephemeral.state).toMatchObject({ kind: 'held', path })
  })

  it('says what it is, as it changes', async () => {
    const ephemeral = ours.client.ephemeral(path, 'mine')
    const kinds: string[] = []
    ephemeral.on('state', ({ kind }) => void kinds.push(kind))
    await harness.inTime(ephemeral.ready())
    await harness.inTime(ephemeral.withdraw())
    await harness.inTime(ephemeral.restore())
    await harness.inTime(ephemeral.close())

    expect(kinds).toEqual(['held', 'withheld', 'pending', 'held', 'closed'])
  })

  it('is made once when the answer to its making is lost', async () => {
    harness.ensemble.script({
      when: { op: 'create2', path, times: 1 },
      do: 'cut',
      how: 'reset',
      at: 'unanswered',
    })
    await held()

    expect(story()).toEqual(['created'])
  })

  it('is left alone when the connection moves to another server', async () => {
    const ephemeral = await held()
    const states: unknown[] = []
    ephemeral.on('state', (state) => void states.push(state))
    const node = harness.ensemble.nodeOf(ours.client.session!.id)!
    await node.kill()
    await harness.clock.advance(sessionMs)

    expect(story()).toEqual(['created'])
    expect(states).toEqual([])
  })

  it('is made again in the session that follows', async () => {
    const ephemeral = await held()
    const kinds: string[] = []
    ephemeral.on('state', ({ kind }) => void kinds.push(kind))
    harness.ensemble.expire(ours.client.session!.id)
    await harness.clock.advance(2_000)

    expect(story()).toEqual(['created', 'deleted', 'created'])
    expect(kinds).toEqual(['pending', 'held'])
  })

  it('replaces the node of a session that was given up, in one step', async () => {
    const ephemeral = await held()
    ours.host.cut()
    // A new leader restarts the timeout of each session: the session is over for the client before it is for the servers.
    await harness.clock.advance(sessionMs - 500)
    await harness.ensemble.leader!.kill()
    await harness.clock.advance(1_500)
    expect([there(), ephemeral.state]).toMatchObject(['mine', { reason: { code: 'session-lost' } }])
    ours.host.heal()
    await harness.clock.advance(1_500)

    expect(story()).toEqual(['created', 'deleted and created'])
    expect(harness.ensemble.owners().get(ours.client.session!.id)).toEqual([path])
  })

  it('is made again when somebody deletes it', async () => {
    await held()
    await harness.inTime(harness.member().client.delete(path))
    await harness.clock.advance(2_000)

    expect(story()).toEqual(['created', 'deleted', 'created'])
  })

  it('is put right, not made again, when somebody writes to it', async () => {
    await held()
    await harness.inTime(harness.member().client.set(path, 'theirs'))
    await harness.clock.advance(2_000)

    expect([there(), story()]).toEqual(['mine', ['created', 'data', 'data']])
  })

  it('goes with the client', async () => {
    await held()
    await harness.inTime(ours.client.close())

    expect(there()).toBeUndefined()
  })

  it('is kept once for each path', async () => {
    await held()

    expect(() => ours.client.ephemeral(path, 'again')).toThrow(/already/)
    expect(() => ours.client.ephemeral('services', 'x')).toThrow(/leading slash/)
    expect(() => ours.client.ephemeral('/x', 'x', { takeOver: true } as never)).toThrow(/takeover/)
  })
})

describe('update', () => {
  it('writes, and is written again in the session that follows', async () => {
    const ephemeral = await held()
    await harness.inTime(ephemeral.update('new'))
    expect(there()).toBe('new')
    harness.ensemble.expire(ours.client.session!.id)
    await harness.clock.advance(2_000)

    expect(there()).toBe('new')
  })

  it('is not lost while the node is withdrawn', async () => {
    const ephemeral = await held()
    await harness.inTime(ephemeral.withdraw())
    await harness.inTime(ephemeral.update('new'))
    expect(there()).toBeUndefined()
    await harness.inTime(ephemeral.restore())

    expect(there()).toBe('new')
  })

  it('says in time that it could not be written, and writes later', async () => {
    const ephemeral = await held()
    ours.host.cut()
    await expect(harness.inTime(ephemeral.update('new', { timeoutMs: 500 }))).rejects.toMatchObject({
      code: 'timed-out',
    })
    ours.host.heal()
    await harness.clock.advance(2_000)

    expect(there()).toBe('new')
  })

  it('asks for the data each time the node is made', async () => {
    let count = 0
    const ephemeral = ours.client.ephemeral(path, () => `number ${++count}`)
    await harness.inTime(ephemeral.ready())
    await harness.inTime(ephemeral.withdraw())
    await harness.inTime(ephemeral.restore())

    expect(there()).toBe('number 2')
  })
})

describe('withdraw', () => {
  it('keeps the node away in the session that follows as well', async () => {
    const ephemeral = await held()
    await harness.inTime(ephemeral.withdraw())
    harness.ensemble.expire(ours.client.session!.id)
    await harness.clock.advance(2_000)

    expect([there(), ephemeral.state.kind]).toEqual([undefined, 'withheld'])
  })

  it('removes the node of an earlier session as well', async () => {
    const ephemeral = await held()
    ours.host.cut()
    await harness.clock.advance(sessionMs - 500)
    await harness.ensemble.leader!.kill()
    await harness.clock.advance(1_000)
    const withdrawn = ephemeral.withdraw()
    ours.host.heal()
    await harness.inTime(withdrawn)

    expect(story()).toEqual(['created', 'deleted'])
  })
})

describe('close', () => {
  it('deletes the node', async () => {
    const ephemeral = await held()
    await harness.inTime(ephemeral.close())

    expect([there(), ephemeral.state.kind]).toEqual([undefined, 'closed'])
    await expect(ephemeral.ready()).rejects.toMatchObject({ code: 'closed' })
  })

  it('ends in time without a connection, and deletes the node when it is back', async () => {
    const ephemeral = await held()
    ours.host.cut()
    await harness.inTime(ephemeral.close({ timeoutMs: 300 }))
    expect(there()).toBe('mine')
    ours.host.heal()
    await harness.clock.advance(2_000)

    expect([there(), story()]).toEqual([undefined, ['created', 'deleted']])
  })

  it('makes room for another one at once', async () => {
    const first = await held()
    ours.host.cut()
    const closing = first.close()
    const second = ours.client.ephemeral(path, 'second')
    ours.host.heal()
    await harness.inTime(Promise.all([closing, second.ready()]))

    expect(there()).toBe('second')
  })
})

describe('a stranger at the path', () => {
  it('is waited for, and followed as soon as it goes', async () => {
    const theirs = harness.member()
    const first = await held(theirs, 'theirs')
    const ephemeral = ours.client.ephemeral(path, 'mine')
    await expect(harness.inTime(ephemeral.ready({ timeoutMs: 1_000 }))).rejects.toMatchObject({
      code: 'timed-out',
      cause: { code: 'instance-taken' },
    })
    await harness.clock.advance(20_000)
    expect([there(), ephemeral.state]).toMatchObject(['theirs', { reason: { code: 'instance-taken' } }])
    await harness.inTime(first.close())
    await harness.clock.advance(50)

    expect(there()).toBe('mine')
  })

  it('is replaced at once when it is an earlier life of ours, which does not take the node back', async () => {
    const earlier = harness.member()
    const first = earlier.client.ephemeral(path, 'mine', { takeover: true })
    await harness.inTime(first.ready())
    const second = ours.client.ephemeral(path, 'mine', { takeover: ({ data }) => data.toString() === 'mine' })
    await harness.inTime(second.ready())
    await harness.clock.advance(20_000)

    expect(story()).toEqual(['created', 'deleted and created'])
    expect([first.state, second.state]).toMatchObject([
      { kind: 'pending', reason: { code: 'instance-taken' } },
      { kind: 'held' },
    ])
  })

  it('is not touched when our process stood still and its node was taken over', async () => {
    const frozen = harness.member()
    const first = frozen.client.ephemeral(path, 'mine', { takeover: true })
    await harness.inTime(first.ready())
    frozen.host.freeze()
    await harness.clock.advance(sessionMs + 4 * tickMs)
    const second = ours.client.ephemeral(path, 'mine', { takeover: true })
    await harness.inTime(second.ready())
    frozen.host.thaw()
    await harness.clock.advance(20_000)

    expect(story()).toEqual(['created', 'deleted', 'created'])
  })
})

describe('a sequential ephemeral', () => {
  const numbered = /^\/queue\/_c_[0-9a-f-]{36}-place-\d{10}$/

  it('has a number from the server, and another one in each session', async () => {
    const ephemeral = ours.client.ephemeral('/queue/place-', 'mine', { sequential: true })
    await harness.inTime(ephemeral.ready())
    const first = ephemeral.path
    harness.ensemble.expire(ours.client.session!.id)
    await harness.clock.advance(2_000)

    expect(first).toMatch(numbered)
    expect(ephemeral.path).toMatch(numbered)
    expect([there(first), there(ephemeral.path)]).toEqual([undefined, 'mine'])
  })

  it('is found when the answer to its making is lost', async () => {
    harness.ensemble.script({
      when: { op: 'create2', path: /place/, times: 1 },
      do: 'cut',
      how: 'reset',
      at: 'unanswered',
    })
    const ephemeral = ours.client.ephemeral('/queue/place-', 'mine', { sequential: true })
    await harness.inTime(ephemeral.ready())

    expect(harness.childrenOf('/queue')).toHaveLength(1)
    expect(ephemeral.path).toMatch(numbered)
  })
})
