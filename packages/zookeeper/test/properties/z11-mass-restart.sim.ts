import { describe, expect, it } from 'vitest'
import type { Registration } from '../../src/discovery/registration.ts'
import type { ServiceView } from '../../src/discovery/service-view.ts'
import { openWorld, type World } from './world.ts'

// A tenth of 200 readers and a fifth of 500 instances, so that it takes seconds: what a reader does depends on neither.
const readers = 20
const instances = 100
const restartMs = 10_000
const downMs = 200
const coalesceMs = 100
const sampleMs = 25

describe('Z11: all instances restart within ten seconds', () => {
  it('each reader reads no more than what has changed, sees it within a second, and never too few', {
    timeout: 120_000,
  }, async () => {
    await using world = await openWorld()
    const owners = Array.from({ length: 5 }, () => world.member().client.discovery())
    const register = (n: number, port: number): Registration =>
      owners[n % owners.length]!.register({ name: 'mqtt', id: `i${n}`, address: 'a', port })
    const first = Array.from({ length: instances }, (_, n) => register(n, 1))
    await world.inTime(Promise.all(first.map((each) => each.ready())))
    const views = Array.from({ length: readers }, () =>
      world.member().client.discovery().service('mqtt', { coalesceMs }),
    )
    await world.inTime(Promise.all(views.map((view) => view.ready())))
    await world.clock.advance(1_000)
    world.ensemble.log.clear()

    const sightings = new Sightings(world, views)
    for (const [n, registration] of first.entries()) {
      void registration.close()
      world.clock.after(downMs, () => {
        const next = register(n, 2)
        void next.ready().then(() => sightings.back(n))
      })
      await sightings.pass(restartMs / instances)
    }
    await sightings.pass(3_000)

    const reads = world.ensemble.log
      .entries({ path: /^\/services\/mqtt/ })
      .filter(({ op }) => ['get-data', 'exists', 'get-children', 'get-children2'].includes(op)).length
    // Each new node is read once, and the list one and a half times in each window, whose length is left to chance.
    const windows = (restartMs + downMs) / coalesceMs
    expect(reads / readers).toBeLessThanOrEqual(instances + 1.5 * windows)
    expect(sightings.lagsMs).toHaveLength(instances * readers)
    expect(percentile(sightings.lagsMs, 0.99)).toBeLessThan(1_000)
    // Whoever is down at one moment, and those of the time that a change may take to be seen.
    const mayBeMissing = Math.ceil((downMs + 1_000) / (restartMs / instances))
    expect(sightings.fewest).toBeGreaterThanOrEqual(instances - mayBeMissing)
  })
})

/** What readers see, looked at every so many milliseconds. */
class Sightings {
  readonly lagsMs: number[] = []
  fewest: number = instances
  readonly #world: World
  readonly #views: readonly ServiceView[]
  readonly #backAtMs = new Map<string, number>()
  readonly #seen: readonly Set<string>[]

  constructor(world: World, views: readonly ServiceView[]) {
    this.#world = world
    this.#views = views
    this.#seen = views.map(() => new Set())
  }

  back(n: number): void {
    this.#backAtMs.set(`i${n}`, this.#world.clock.now())
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += sampleMs) {
      await this.#world.clock.advance(sampleMs)
      for (const [reader, view] of this.#views.entries()) this.#look(view, this.#seen[reader]!)
    }
  }

  #look(view: ServiceView, seen: Set<string>): void {
    const all = view.all()
    this.fewest = Math.min(this.fewest, all.length)
    for (const { id, port } of all) {
      const backAtMs = this.#backAtMs.get(id)
      if (port !== 2 || backAtMs === undefined || seen.has(id)) continue
      seen.add(id)
      this.lagsMs.push(this.#world.clock.now() - backAtMs)
    }
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
}
