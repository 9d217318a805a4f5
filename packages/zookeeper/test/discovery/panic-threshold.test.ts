import { describe, expect, it } from 'vitest'
import {
  afterObservation,
  initialServedList,
  type PanicThresholdOptions,
  type RegistryObservation,
  type ServedList,
} from '../../src/discovery/instance-list.ts'
import { idsOf, instance } from './instances.ts'

const rules: PanicThresholdOptions = { graceMs: 10_000, share: 0.5 }
const away: RegistryObservation = { kind: 'unavailable' }
const listed = (ids: string): RegistryObservation => ({
  kind: 'listed',
  instances: [...ids].map((id) => instance(id)),
})

function after(...sightings: readonly (readonly [RegistryObservation, number])[]): ServedList {
  return sightings.reduce(
    (served, [sighting, atMs]) => afterObservation(served, sighting, atMs, rules),
    initialServedList,
  )
}

describe('what is served', () => {
  const full = [listed('abcd'), 0] as const
  const gone = [away, 1_000] as const

  it.each<[string, readonly (readonly [RegistryObservation, number])[], ServedList['kind'], string]>([
    ['is nothing before anything was read', [gone], 'unread', ''],
    ['is what is listed', [full, [listed('ab'), 1]], 'current', 'ab'],
    ['is nothing when nothing is listed and there was no outage', [full, [listed(''), 1]], 'current', ''],
    ['is the last good list while the registry is away', [full, gone, [away, 600_000]], 'stale', 'abcd'],
    [
      'is what is listed after an outage, when enough is',
      [full, gone, [listed('ab'), 2_000]],
      'recovered',
      'ab',
    ],
    ['is the list from before when all are gone', [full, gone, [listed(''), 2_000]], 'guarded', 'abcd'],
    [
      'is both lists when most are gone',
      [full, gone, [listed('dx'), 2_000], [listed('e'), 2_500]],
      'guarded',
      'eabcd',
    ],
    [
      'is what is listed as soon as enough are back',
      [full, gone, [listed(''), 2_000], [listed('bc'), 3_000]],
      'recovered',
      'bc',
    ],
    [
      'is the list from before also when it collapses a while after the return',
      [full, gone, [listed('abcd'), 2_000], [listed(''), 11_999]],
      'guarded',
      'abcd',
    ],
    [
      'is what is listed, however little, when the time of grace is over',
      [full, gone, [listed(''), 2_000], [listed(''), 12_000]],
      'current',
      '',
    ],
    [
      'is the guarded list when the registry goes away again',
      [full, gone, [listed('x'), 2_000], [away, 3_000]],
      'stale',
      'xabcd',
    ],
    [
      'may be nothing after an outage when it was nothing before',
      [[listed(''), 0], gone, [listed(''), 2]],
      'recovered',
      '',
    ],
  ])('%s', (_, sightings, kind, ids) => {
    const served = after(...sightings)
    expect({ kind: served.kind, ids: idsOf(served.instances).join('') }).toEqual({ kind, ids })
  })

  it('has the newer word on an instance that is in both lists', () => {
    const moved = { kind: 'listed', instances: [instance('d', { address: '10.0.0.9' })] } as const
    const served = after(full, gone, [moved, 2_000])
    expect(served.instances.find(({ id }) => id === 'd')?.address).toBe('10.0.0.9')
  })
})
