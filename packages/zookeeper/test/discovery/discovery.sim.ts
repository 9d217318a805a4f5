import { seededRandom } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import type { Registration } from '../../src/discovery/registration.ts'
import { type ClientHarness, openClientHarness } from '../client-harness.ts'
import { idsOf } from './instances.ts'

const second = 1_000
const health = { intervalMs: 200, failures: 2, successes: 2, minDwellMs: second }

interface Owner {
  readonly id: string
  readonly zookeeper: Zookeeper
  readonly registration: Registration
  well: boolean
}

function owner(all: ClientHarness, id: string): Owner {
  const zookeeper = all.client()
  const gate = { ...health, check: () => made.well }
  const registration = zookeeper.discovery().register({ name: 'mqtt', id, address: id }, { health: gate })
  const made: Owner = { id, zookeeper, registration, well: true }
  return made
}

/** Something that goes wrong, or right again, by lot. */
function disturb(all: ClientHarness, owners: readonly Owner[], random: () => number): void {
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!
  const node = one(all.ensemble.nodes)
  const someone = one(owners)
  const deeds = [
    () => {
      someone.well = !someone.well
    },
    () => node.kill(),
    () => node.start(),
    () => node.freeze(),
    () => node.thaw(),
    () => someone.zookeeper.session && all.ensemble.expire(someone.zookeeper.session.id),
  ]
  one(deeds)()
}

function mendAll(all: ClientHarness, owners: readonly Owner[]): void {
  for (const node of all.ensemble.nodes) {
    if (node.state === 'frozen') node.thaw()
    if (node.state === 'down') node.start()
  }
  for (const each of owners) each.well = true
}

// 26: a float residue once made a heartbeat ask again at the same instant for ever.
const seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 26]

describe('discovery under faults of all kinds', () => {
  it.each(seeds)('comes to rest as it should: seed %i', async (seed) => {
    await using all = await openClientHarness({}, seed)
    const random = seededRandom(seed)
    const view = all
      .client()
      .discovery()
      .service('mqtt', { panicThreshold: { graceMs: 5 * second } })
    const owners = ['a', 'b', 'c', 'd'].map((id) => owner(all, id))
    await all.clock.advance(2 * second)
    for (let turn = 0; turn < 40; turn += 1) {
      disturb(all, owners, random)
      await all.clock.advance(random() * second)
      if (view.stale) expect(view.all().length).toBeGreaterThan(0)
    }
    mendAll(all, owners)
    await all.clock.advance(30 * second)
    expect({ ids: idsOf(view.all()), state: view.state }).toEqual({
      ids: ['a', 'b', 'c', 'd'],
      state: 'current',
    })
    expect(owners.map(({ registration }) => registration.state.kind)).toEqual(owners.map(() => 'registered'))
    const held = owners.map(({ id }) => all.ensemble.tree().get(`/services/mqtt/${id}`)?.stat.ephemeralOwner)
    expect(held).toEqual(owners.map(({ zookeeper }) => zookeeper.session?.id))
  })
})
