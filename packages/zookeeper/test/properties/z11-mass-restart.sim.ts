import { describe, expect, it } from 'vitest'
import type { Registration } from '../../src/discovery/registration.ts'
import type { ServiceView } from '../../src/discovery/service-view.ts'
import { type Harness, openHarness } from '../harness.ts'

// A tenth of 200 readers and a fifth of 500 instances, so that the test takes seconds: the reads of one reader do not
// depend on the number of readers.
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
    await using harness = await openHarness()
    const owners = Array.from({ length: 5 }, () => harness.member().client.discovery())
    const register = (n: number, port: number): Registration =>
      owners[n % owners.length]!.register({ name: 'mqtt', id: `i${n}`, address: 'a', port })
    const first = Array.from({ length: instances }, (_, n) => register(n, 1))
    await harness.inTime(Promise.all(first.map((each) => each.ready())))
    const views = Array.from({ length: readers }, () =>
      harness.member().client.discovery().service('mqtt', { coalesceMs }),
    )
    await harness.inTime(Promise.all(views.map((view) => view.ready())))
    await harness.clock.advance(1_000)
    harness.ensemble.log.clear()

    const sightings = new Sightings(harness, views)
    for (const [n, registration] of first.entries()) {
      void registration.close()
      harness.clock.after(downMs, () => {
        const next = register(n, 2)
        void next.ready().then(() => sightings.back(n))
      })
      await sightings.pass(restartMs / instances)
    }
    await sightings.pass(3_000)

    const reads = harness.ensemble.log
      .entries({ path: /^\/services\/mqtt/ })
      .filter(({ op }) => ['get-data', 'exists', 'get-children', 'get-children2'].includes(op)).length
    // Each new node is read once, and the list one and a half times in each window, whose length is random.
    const windows = (restartMs + downMs) / coalesceMs
    expect(reads / readers).toBeLessThanOrEqual(instances + 1.5 * windows)
    expect(sightings.lagsMs).toHaveLength(instances * readers)
    expect(percentile(sightings.lagsMs, 0.99)).toBeLessThan(1_000)
    // The instances that are down at one moment, and those that changed within the time until a change is visible.
    const mayBeMissing = Math.ceil((downMs + 1_000) / (restartMs / instances))
    expect(sightings.fewest).toBeGreaterThanOrEqual(instances - mayBeMissing)
  })
})

/** The lists of the readers, sampled at an interval. */
class Sightings {
  readonly lagsMs: number[] = []
  fewest: number = instances
  readonly #harness: Harness
  readonly #views: readonly ServiceView[]
  readonly #backAtMs = new Map<string, number>()
  readonly #seen: readonly Set<string>[]

  constructor(harness: Harness, views: readonly ServiceView[]) {
    this.#harness = harness
    this.#views = views
    this.#seen = views.map(() => new Set())
  }

  back(n: number): void {
    this.#backAtMs.set(`i${n}`, this.#harness.clock.now())
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += sampleMs) {
      await this.#harness.clock.advance(sampleMs)
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
      this.lagsMs.push(this.#harness.clock.now() - backAtMs)
    }
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
}
