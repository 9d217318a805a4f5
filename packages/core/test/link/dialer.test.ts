import { describe, expect, it } from 'vitest'
import type { Endpoint } from '../../src/address/endpoint.ts'
import { EndpointRegistry } from '../../src/cluster/endpoint-registry.ts'
import { dialRace } from '../../src/link/dialer.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { FakeDriver, FakeServer } from '../../src/testing/fake-driver.ts'
import { deferred } from '../../src/util/deferred.ts'

const never = new AbortController().signal
const options = { attemptMs: 3_000, staggerMs: 100, parallel: 2 }

function race(change: (servers: readonly FakeServer[]) => void = () => undefined) {
  const clock = new FakeClock()
  const servers = ['n1', 'n2', 'n3'].map((host) => new FakeServer({ host, port: 1 }, clock))
  change(servers)
  const driver = new FakeDriver(clock, servers)
  const plan = servers.map((server) => server.endpoint)
  return { clock, servers, driver, registry: new EndpointRegistry(clock, plan), plan, options }
}

describe('a race of dials', () => {
  it('keeps one connection when two complete in the same turn', async () => {
    const world = race()
    const both = deferred()
    class Simultaneous extends FakeDriver {
      override async open(endpoint: Endpoint) {
        await both.promise
        return world.servers.find((server) => server.endpoint === endpoint)!.accept()
      }
    }
    const driver = new Simultaneous(world.clock, world.servers)
    const won = dialRace({ ...world, driver }, world.plan, never)
    await world.clock.advance(150)
    both.resolve()
    await world.clock.advance(50)
    await won
    expect(world.servers.map((server) => server.connections.size).sort()).toEqual([0, 0, 1])
  })

  it('tries the next endpoint at once when one refuses', async () => {
    const world = race(([first]) => first?.kill())
    const won = dialRace(world, world.plan, never)
    await world.clock.advance(5)
    expect((await won).endpoint.host).toBe('n2')
    expect(world.servers.map((server) => server.dialedAtMs)).toEqual([[0], [0], []])
  })

  it('never has more handshakes under way than allowed', async () => {
    const world = race((servers) => {
      for (const server of servers) server.freeze()
    })
    const lost = expect(dialRace(world, world.plan, never)).rejects.toMatchObject({ code: 'unreachable' })
    await world.clock.advance(2_999)
    expect(world.servers.map((server) => server.dialedAtMs)).toEqual([[0], [100], []])
    await world.clock.advance(3_200)
    await lost
  })

  it('names every endpoint and how it answered', async () => {
    const world = race((servers) => {
      servers[0]?.kill()
      servers[1]?.freeze()
      servers[2]!.mode = 'denying'
    })
    const lost = expect(dialRace(world, world.plan, never)).rejects.toMatchObject({
      code: 'unreachable',
      outcome: 'not-done',
      retryable: true,
      message:
        'no fake endpoint could be reached: n1:1: refused; n2:1: no complete handshake within 3000 ms; n3:1: denied',
      attempts: [{ endpoint: 'n1:1' }, { endpoint: 'n2:1' }, { endpoint: 'n3:1' }],
    })
    await world.clock.advance(4_000)
    await lost
  })

  it('names each endpoint once, also when its error names it', async () => {
    const world = race((servers) => {
      servers[0]?.kill()
      servers[2]?.kill()
    })
    class Naming extends FakeDriver {
      override async open(endpoint: Endpoint): Promise<never> {
        throw new Error(`${endpoint.host}:1: ${endpoint.host}:1: connect ECONNREFUSED 10.0.0.1:1`)
      }
    }
    const driver = new Naming(world.clock, world.servers)
    const plan = world.plan.slice(0, 2)

    await expect(dialRace({ ...world, driver }, plan, never)).rejects.toThrow(
      /: n1:1: connect ECONNREFUSED 10.0.0.1:1; n2:1: connect ECONNREFUSED 10.0.0.1:1$/,
    )
  })

  it('does not hold it against an endpoint that another one was faster', async () => {
    const world = race(([first]) => {
      if (first !== undefined) first.answerMs = 500
    })
    const won = dialRace(world, world.plan, never)
    await world.clock.advance(1_000)
    await won
    expect(world.registry.view.members.map((member) => member.health)).toEqual(['unknown', 'up', 'unknown'])
  })

  it('rejects when there is no endpoint to dial', async () => {
    await expect(dialRace(race(), [], never)).rejects.toThrow('there is no endpoint to dial')
  })
})
