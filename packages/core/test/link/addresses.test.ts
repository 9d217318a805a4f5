import { describe, expect, it } from 'vitest'
import type { Endpoint } from '../../src/address/endpoint.ts'
import { fullJitter } from '../../src/policy/backoff.ts'
import { Budget } from '../../src/policy/retry.ts'
import { run } from '../../src/run.ts'
import { linkBench } from './link-bench.ts'

const both: readonly Endpoint[] = [
  { host: 'n1', port: 1 },
  { host: 'n2', port: 1 },
]

// A link on an address function that answered once and then failed, and whose servers are all gone.
async function stranded() {
  let addresses: () => Promise<readonly Endpoint[]> = () => Promise.resolve(both)
  const bench = linkBench({ addresses: () => addresses() })
  bench.link.start()
  await bench.clock.advance(10)
  addresses = () => Promise.reject(new Error('no DNS today'))
  for (const server of bench.servers) server.kill()
  await bench.clock.advance(100)
  const heal = (): void => {
    addresses = () => Promise.resolve(both)
  }
  return { ...bench, heal }
}

describe('an address function that fails with a list in hand', () => {
  it('shows in the health until it answers again', async () => {
    const { clock, link, servers, heal } = await stranded()
    expect(link.health()).toMatchObject({
      addressesError: 'no DNS today',
    })
    heal()
    servers[0]?.start()
    await clock.advance(10_000)
    expect(link.health()).toMatchObject({ state: 'ready', addressesError: undefined })
  })

  it('stands among the attempts of a round in which every endpoint failed', async () => {
    const { link } = await stranded()
    const why = 'no fake endpoint could be reached: n1:1: refused; n2:1: refused; addresses: no DNS today'
    expect(link.health().reason).toBe(why)
    expect(link.unavailableReason()).toMatchObject({
      code: 'unreachable',
      message: why,
      attempts: [{ endpoint: 'n1:1' }, { endpoint: 'n2:1' }, { endpoint: 'addresses' }],
    })
  })

  it('is named in the error of an operation that got no connection', async () => {
    const { clock, link, driver } = await stranded()
    const runner = {
      source: link,
      driver,
      clock,
      random: () => 0.5,
      backoff: fullJitter({ baseMs: 50, maxMs: 1_000 }),
      budget: new Budget(),
    }
    const operation = { name: 'purge', timeoutMs: 2_000, repeatable: false }
    const outcome = expect(run(runner, operation, async () => 1)).rejects.toMatchObject({
      code: 'timed-out',
      outcome: 'not-done',
      message: expect.stringMatching(/^purge: no connection in time: .*addresses: no DNS today$/),
      cause: { code: 'unreachable' },
      attempts: { length: 3 },
    })
    await clock.advance(2_000)
    await outcome
  })

  it('does not turn a final no of every endpoint into a passing one', async () => {
    const { clock, link, servers } = await stranded()
    for (const server of servers) server.mode = 'denying'
    await clock.advance(10_000)
    expect(link.unavailableReason()).toMatchObject({ code: 'refused' })
  })
})

describe('a link without any address', () => {
  it('says which answer of the address function left it without addresses', async () => {
    const { clock, link } = linkBench({ addresses: () => Promise.resolve([]) })
    link.start()
    await clock.advance(5)
    expect(link.unavailableReason()).toMatchObject({
      code: 'unreachable',
      message:
        "the addresses could not be found: the function of the option 'addresses' returned an empty list",
      attempts: [{ endpoint: 'addresses' }],
    })
  })
})
