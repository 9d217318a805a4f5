import { describe, expect, it } from 'vitest'
import { fullJitter } from '../src/policy/backoff.ts'
import { Budget } from '../src/policy/retry.ts'
import { type Operation, run, type Work } from '../src/run.ts'
import { seededRandom } from '../src/testing/fake-clock.ts'
import { type FakeConnection, FakeError } from '../src/testing/fake-driver.ts'
import { linkBench } from './link/link-bench.ts'
import { microtasks } from './link/microtasks.ts'

function bench() {
  const world = linkBench()
  const runner = {
    source: world.link,
    driver: world.driver,
    clock: world.clock,
    random: seededRandom(3),
    backoff: fullJitter({ baseMs: 50, maxMs: 1_000 }),
    budget: new Budget(),
  }
  const start = <T>(work: Work<FakeConnection, T>, change: Partial<Operation> = {}) => {
    const outcome = run(runner, { name: 'purge', timeoutMs: 2_000, repeatable: false, ...change }, work)
    outcome.catch(() => undefined)
    return outcome
  }
  return { ...world, start, runner }
}

describe('an operation', () => {
  it('waits for a connection and returns what its work returns', async () => {
    const { clock, start } = bench()
    const outcome = start(async (connection) => connection.server.endpoint.host)
    await clock.advance(10)
    expect(await outcome).toBe('n1')
  })

  it('is tried again when a try had no effect', async () => {
    const { clock, start } = bench()
    let tries = 0
    const outcome = start(async () => {
      tries += 1
      if (tries < 3) throw new FakeError('busy')
      return tries
    })
    await clock.advance(2_000)
    expect(await outcome).toBe(3)
  })

  it('is never repeated when it may have happened, unless twice is harmless', async () => {
    const { clock, start } = bench()
    let tries = 0
    const work = async (): Promise<void> => {
      tries += 1
      throw new FakeError('broken')
    }
    const once = start(work)
    await clock.advance(100)
    await expect(once).rejects.toMatchObject({ code: 'outcome-unknown', outcome: 'unknown' })
    expect(tries).toBe(1)
    const often = start(work, { repeatable: true })
    await clock.advance(3_000)
    await expect(often).rejects.toMatchObject({ code: 'timed-out', outcome: 'unknown' })
    expect(tries).toBeGreaterThan(2)
  })

  it('is rejected with the server’s word when trying again cannot help', async () => {
    const { clock, start } = bench()
    const outcome = start(() => Promise.reject(new FakeError('conflict')))
    await clock.advance(10)
    await expect(outcome).rejects.toMatchObject({
      code: 'rejected',
      outcome: 'not-done',
      endpoint: 'n1:1',
      message: 'purge on n1:1: conflict',
      cause: { code: 'conflict' },
    })
  })

  it('settles by its deadline with unknown when its work ignores every signal', async () => {
    const { clock, start } = bench()
    const outcome = start(() => new Promise(() => undefined))
    await clock.advance(2_000)
    await expect(outcome).rejects.toMatchObject({ code: 'timed-out', outcome: 'unknown', endpoint: 'n1:1' })
  })

  it('settles by its deadline with not-done when there was never a connection', async () => {
    const { clock, start, servers } = bench()
    for (const server of servers) server.kill()
    const outcome = start(async () => 1)
    await clock.advance(2_000)
    await expect(outcome).rejects.toMatchObject({ code: 'timed-out', outcome: 'not-done' })
  })

  it('ends at once, with unknown, when its connection is lost while it works', async () => {
    const { clock, start, servers } = bench()
    const outcome = start(() => new Promise(() => undefined))
    await clock.advance(10)
    servers[0]?.kill()
    await clock.advance(0)
    await expect(outcome).rejects.toMatchObject({
      code: 'outcome-unknown',
      outcome: 'unknown',
      cause: { code: 'lost' },
    })
  })

  it('is repeated on the next server when its connection is lost and twice is harmless', async () => {
    const { clock, start, servers } = bench()
    const outcome = start(
      async ({ server }) =>
        server === servers[0] ? new Promise<string>(() => undefined) : server.endpoint.host,
      { repeatable: true },
    )
    await clock.advance(10)
    servers[0]?.kill()
    await clock.advance(200)
    expect(await outcome).toBe('n2')
  })

  it('moves the link on when its failure is the connection’s', async () => {
    const { clock, start, link } = bench()
    const outcome = start(() => Promise.reject(new FakeError('broken')))
    await clock.advance(20)
    await expect(outcome).rejects.toThrow()
    expect(link.health().generation).toBe(2)
  })

  it('ends with aborted when the caller has had enough', async () => {
    const { clock, start } = bench()
    const controller = new AbortController()
    const outcome = start(() => new Promise(() => undefined), { signal: controller.signal })
    await clock.advance(10)
    controller.abort(new Error('enough'))
    await expect(outcome).rejects.toMatchObject({
      code: 'aborted',
      outcome: 'unknown',
      cause: { message: 'enough' },
    })
  })

  it('ends with closed when the client is closed under it', async () => {
    const { clock, start, link, servers } = bench()
    for (const server of servers) server.freeze()
    const outcome = start(async () => 1)
    const closed = link.close(100)
    await clock.advance(100)
    await closed
    await expect(outcome).rejects.toMatchObject({ code: 'closed', outcome: 'not-done' })
  })

  it('gives up when the budget of all operations together is spent', async () => {
    const { clock, start } = bench()
    const outcomes = Array.from({ length: 20 }, () =>
      start(() => Promise.reject(new FakeError('busy')), { timeoutMs: 60_000 }),
    )
    const codes = Promise.all(outcomes.map((outcome) => outcome.catch((error) => error.code)))
    await clock.advance(60_000)
    expect(new Set(await codes)).toEqual(new Set(['retry-budget-exhausted']))
  })

  it('is never of unknown outcome when its connection went before its work began', async () => {
    for (let distance = 0; distance < 20; distance++) {
      const { clock, start, servers, link } = bench()
      link.start()
      await clock.advance(10)
      const begun: string[] = []
      const outcome = start(async ({ server }, until) => {
        begun.push(until().aborted ? 'dead' : server.endpoint.host)
        return 'done'
      })
      void microtasks(distance).then(() => servers[0]?.kill())
      await clock.advance(1_000)
      const how = await outcome.catch((error) => error.outcome)
      const expected = how === 'unknown' ? ['n1'] : [expect.stringMatching(/^n[12]$/)]
      expect(begun, `${distance} microtasks after the call: ${how}`).toEqual(expected)
    }
  })

  it('is not done when it ended before its work began', async () => {
    for (let distance = 0; distance < 20; distance++) {
      const { clock, start, link } = bench()
      link.start()
      await clock.advance(10)
      const begun: boolean[] = []
      const controller = new AbortController()
      const work = (_: FakeConnection, until: () => AbortSignal): Promise<never> => {
        begun.push(!until().aborted)
        return new Promise(() => undefined)
      }
      const outcome = start(work, { signal: controller.signal })
      void microtasks(distance).then(() => controller.abort(new Error('enough')))
      await clock.advance(10)
      const expected = { code: 'aborted', outcome: begun.length === 0 ? 'not-done' : 'unknown' }
      expect(begun).not.toContain(false)
      await expect(outcome, `${distance} microtasks after the call`).rejects.toMatchObject(expected)
    }
  })

  it('is not called retryable when beginning it again cannot help', async () => {
    const { clock, start, link, servers } = bench()
    for (const server of servers) server.mode = 'denying'
    const refused = start(async () => 1)
    await clock.advance(100)
    await expect(refused).rejects.toMatchObject({ code: 'refused', retryable: false })
    await link.close(0)
    await expect(start(async () => 1)).rejects.toMatchObject({ code: 'closed', retryable: false })
  })

  it('leaves no timer behind', async () => {
    const { clock, start, link } = bench()
    const outcome = start(async () => 1)
    await clock.advance(10)
    await outcome
    const closed = link.close(100)
    await clock.advance(100)
    await closed
    expect(clock.pending).toBe(0)
  })

  it('asks the operation for the effect of an attempt without an answer', async () => {
    const { clock, start, servers, link } = bench()
    link.start()
    await clock.advance(10)
    const hanging = (): Promise<never> => new Promise(() => undefined)
    const lost = start(hanging, { effectIfLost: () => 'none', timeoutMs: 500 })
    servers[0]?.kill()
    await clock.advance(2_000)
    await expect(lost).rejects.toMatchObject({ code: 'timed-out', outcome: 'not-done' })
  })
})
