import { describe, expect, test } from 'vitest'
import { dateZone, readDate, writeDate } from '../../src/driver/dates.ts'

const moment = new Date(Date.UTC(2026, 6, 1, 22, 30, 0, 125))

describe('dates', () => {
  test.each([
    ['+00:00', '2026-07-01 22:30:00.125'],
    ['UTC', '2026-07-01 22:30:00.125'],
    ['+02:00', '2026-07-02 00:30:00.125'],
    ['-09:30', '2026-07-01 13:00:00.125'],
  ])('are written and read by the clock of %s, whatever the zone of this process', (timeZone, written) => {
    expect(writeDate(moment, dateZone(timeZone))).toBe(written)
    expect(readDate(written, dateZone(timeZone))).toEqual(moment)
  })

  test('follow this process when the session’s clock is not known by its number', () => {
    const zone = dateZone('Europe/Berlin')
    expect(zone).toEqual({ kind: 'process' })
    expect(readDate(writeDate(moment, zone), zone)).toEqual(moment)
  })

  test('may have no time, or one to the microsecond', () => {
    expect(readDate('2026-07-01', dateZone('UTC'))).toEqual(new Date(Date.UTC(2026, 6, 1)))
    expect(readDate('2026-07-01 00:00:00.125999', dateZone('UTC'))).toEqual(
      new Date(Date.UTC(2026, 6, 1, 0, 0, 0, 125)),
    )
    expect(readDate('0099-07-01', dateZone('UTC'))?.getUTCFullYear()).toBe(99)
  })

  test.each(['0000-00-00', '0000-00-00 00:00:00', '2026-00-00'])('%s is none', (written) => {
    expect(readDate(written, dateZone('UTC'))).toBeNull()
  })
})
