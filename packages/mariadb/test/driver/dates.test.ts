import { describe, expect, test } from 'vitest'
import { type DateZone, dateZone, readDate, utc, writeDate } from '../../src/driver/dates.ts'

const moment = new Date(Date.UTC(2026, 6, 1, 22, 30, 0, 125))

function zoneOf(timeZone: string): DateZone {
  const zone = dateZone(timeZone)
  if (zone === undefined) throw new Error(`${timeZone} is not known`)
  return zone
}

describe('dates', () => {
  test.each([
    ['+00:00', '2026-07-01 22:30:00.125'],
    ['UTC', '2026-07-01 22:30:00.125'],
    ['+02:00', '2026-07-02 00:30:00.125'],
    ['-09:30', '2026-07-01 13:00:00.125'],
    ['Europe/Berlin', '2026-07-02 00:30:00.125'],
    ['America/St_Johns', '2026-07-01 20:00:00.125'],
    ['Asia/Kathmandu', '2026-07-02 04:15:00.125'],
    ['Pacific/Kiritimati', '2026-07-02 12:30:00.125'],
  ])('are written and read by the clock of %s, whatever the zone of this process', (timeZone, written) => {
    expect(writeDate(moment, zoneOf(timeZone))).toBe(written)
    expect(readDate(written, zoneOf(timeZone))).toEqual(moment)
  })

  test.each([
    ['Europe/Berlin', '2026-01-01 12:00:00', '2026-01-01T11:00:00.000Z'],
    ['Europe/Berlin', '2026-07-01', '2026-06-30T22:00:00.000Z'],
    ['Europe/Berlin', '2026-10-25 01:59:59', '2026-10-24T23:59:59.000Z'],
    ['Europe/Berlin', '2026-10-25 03:00:00', '2026-10-25T02:00:00.000Z'],
    ['Australia/Lord_Howe', '2026-01-01 12:00:00', '2026-01-01T01:00:00.000Z'],
    ['America/Sao_Paulo', '2018-11-04', '2018-11-04T03:00:00.000Z'],
    ['Europe/Berlin', '1850-01-01 00:00:00', '1849-12-31T23:06:32.000Z'],
  ])('in %s at %s are %s', (timeZone, written, instant) => {
    expect(readDate(written, zoneOf(timeZone))?.toISOString()).toBe(instant)
  })

  test('that occur twice are the earlier instant, and those that are skipped the end of the gap, as at the server', () => {
    const berlin = zoneOf('Europe/Berlin')
    expect(readDate('2026-10-25 02:30:00', berlin)?.toISOString()).toBe('2026-10-25T00:30:00.000Z')
    expect(readDate('2026-03-29 02:30:00', berlin)?.toISOString()).toBe('2026-03-29T01:00:00.000Z')
  })

  test('are the same after writing and reading, on every hour of a year outside of the repeated one', () => {
    const berlin = zoneOf('Europe/Berlin')
    const repeatedMs = Date.UTC(2026, 9, 25, 1)
    for (let ms = Date.UTC(2026, 0, 1); ms < Date.UTC(2027, 0, 1); ms += 3_600_000) {
      if (ms === repeatedMs) continue
      expect(readDate(writeDate(new Date(ms), berlin), berlin)?.getTime()).toBe(ms)
    }
  })

  test('may have no time, or one to the microsecond', () => {
    expect(readDate('2026-07-01', utc)).toEqual(new Date(Date.UTC(2026, 6, 1)))
    expect(readDate('2026-07-01 00:00:00.125999', utc)).toEqual(new Date(Date.UTC(2026, 6, 1, 0, 0, 0, 125)))
    expect(readDate('0099-07-01', utc)?.getUTCFullYear()).toBe(99)
  })

  test.each(['0000-00-00', '0000-00-00 00:00:00', '2026-00-00'])('%s is none', (written) => {
    expect(readDate(written, utc)).toBeNull()
    expect(readDate(written, zoneOf('Europe/Berlin'))).toBeNull()
  })

  test.each(['SYSTEM', 'CEST', 'Mars/Base', ''])('have no zone of the name %j', (name) => {
    expect(dateZone(name)).toBeUndefined()
  })
})
