import { until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import type { MariadbOptions } from '../../src/index.ts'
import { galeraHarness, type Harness } from './harness.ts'

function harnessIn(variables: Record<string, string>, session?: MariadbOptions['session']): Promise<Harness> {
  return galeraHarness(session === undefined ? {} : { session }, { variables })
}

function warningsOf({ events }: Harness): readonly unknown[] {
  return events.filter(({ name }) => name === 'warning').map(({ event }) => event['text'])
}

describe('the time zone of a session', () => {
  it('is UTC by default, with a warning where the servers have another one', async () => {
    const harness = await harnessIn({ time_zone: '+02:00' })
    await harness.db.ready()
    await until('it is told', () => warningsOf(harness).length > 0)
    expect(warningsOf(harness)[0]).toMatch(/has the time zone \+02:00, and sessions of this client have UTC/)
  })

  it.each([{ timeZone: '+00:00' }, { timeZone: 'server' }])(
    'needs no warning when it was chosen: %j',
    async (session) => {
      const harness = await harnessIn({ time_zone: '+02:00' }, session)
      await harness.db.ready()
      await until('all are read', () =>
        harness.db.health().hosts.every(({ reading }) => reading !== undefined),
      )
      expect(warningsOf(harness)).toEqual([])
    },
  )

  it.each([
    ['+02:00', '2026-07-01 12:00:00.000'],
    ['Europe/Berlin', '2026-07-01 12:00:00.000'],
    ['SYSTEM', '2026-07-01 10:00:00.000'],
  ])('is that of the server, %s, with `server`', async (zone, written) => {
    const { db } = await harnessIn({ time_zone: zone }, { timeZone: 'server' })
    const [row] = await db.query('SELECT ? AS at', [new Date('2026-07-01T10:00:00Z')])
    expect(row?.['at']).toBe(written)
  })

  it('that a server does not know is refused with the remedy', async () => {
    const harness = await harnessIn({}, { timeZone: 'Europe/Berlin' })
    harness.cluster.script({ when: { sql: /^SET SESSION time_zone/ }, do: 'refuse', errno: 1298 })
    const error = await harness.db
      .query('SELECT 1', [], { timeoutMs: 500 })
      .catch((thrown: unknown) => thrown)
    expect(String(error)).toContain(
      'load the zones (mariadb-tzinfo-to-sql), or set session.timeZone to an offset',
    )
  })
})
