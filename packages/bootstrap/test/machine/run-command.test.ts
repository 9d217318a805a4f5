import { expect, test } from 'vitest'
import { type CommandLimit, runCommand } from '../../src/machine/run-command.ts'

const sh = (script: string) => ({
  argv: ['sh', '-c', script],
  env: { PATH: process.env['PATH'] ?? '' },
  stdin: '',
})

/** A limit whose signal fires when the command has printed its first word. */
const untilFirstWord = (endWith?: 'SIGINT'): CommandLimit => {
  const interrupt = new AbortController()
  return {
    timeoutMs: 20_000,
    signal: interrupt.signal,
    onOutput: () => interrupt.abort(new Error('enough')),
    ...(endWith === undefined ? {} : { endWith }),
  }
}

test('a command that is asked to end does so when it can, and is waited for', async () => {
  const patient = "trap 'sleep 0.3; echo finished; exit 0' INT; echo begun; while :; do sleep 0.05; done"

  expect(await runCommand(sh(patient), untilFirstWord('SIGINT'))).toEqual({
    status: 0,
    stdout: 'begun\nfinished\n',
    stderr: '',
  })
})

test('without being asked for anything else a command is killed, whatever it started', async () => {
  const { status } = await runCommand(sh('echo begun; sleep 5 & wait'), untilFirstWord())

  expect(status).toBe(null)
})

test('the deadline ends a command', async () => {
  const begun = performance.now()

  expect((await runCommand(sh('exec sleep 20'), { timeoutMs: 50 })).status).toBe(null)
  expect(performance.now() - begun).toBeLessThan(5_000)
})

test('a signal that has fired already ends the command at its beginning', async () => {
  const limit = { timeoutMs: 20_000, signal: AbortSignal.abort() }

  expect((await runCommand(sh('exec sleep 20'), limit)).status).toBe(null)
})

test('what cannot be started is told', async () => {
  const result = await runCommand({ argv: ['/no/such'], env: {}, stdin: '' }, { timeoutMs: 1000 })

  expect(result).toMatchObject({ status: null, stderr: expect.stringContaining('ENOENT') })
})
