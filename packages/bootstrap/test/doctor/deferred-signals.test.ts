import { expect, test } from 'vitest'
import { deferSignals } from '../../src/doctor/install.ts'

test('a signal waits for the end of the work, which hears of it', async () => {
  const received: string[] = []
  const listen = (name: string): void => void received.push(name)
  let aborted = false

  await deferSignals(async (signal) => {
    process.emit('SIGHUP', 'SIGHUP')
    aborted = signal.aborted
    process.once('SIGHUP', listen)
  })

  expect(aborted).toBe(true)
  await expect.poll(() => received).toEqual(['SIGHUP'])
})

test('whoever listens for a signal decides alone', async () => {
  const own = (): void => undefined
  process.on('SIGHUP', own)

  const during = await deferSignals(async () => process.listeners('SIGHUP'))

  expect(during).toEqual([own])
  process.off('SIGHUP', own)
})

test('nothing is left of a wait in which no signal came', async () => {
  await deferSignals(async () => undefined)

  expect(process.listenerCount('SIGHUP')).toBe(0)
})
