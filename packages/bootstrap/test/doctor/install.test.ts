import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { carryOutInstall, type InstallTools } from '../../src/doctor/install.ts'
import { chooseInstall } from '../../src/doctor/install-command.ts'

const missing = ['rabbitmq-server']
const apt = 'apt-get install -y --no-install-recommends rabbitmq-server'
const rootOnDebian = chooseInstall(missing, { families: ['debian'], isRoot: true })
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hactl-install-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

interface Rehearsal extends InstallTools {
  readonly ran: readonly string[]
  readonly policies: readonly (string | undefined)[]
}

const rehearsal = (given: { status?: number; hasSystemd?: boolean } = {}): Rehearsal => {
  const ran: string[] = []
  const policies: (string | undefined)[] = []
  const policyPath = join(folder, 'policy-rc.d')
  return {
    ran,
    policies,
    policyPath,
    hasSystemd: given.hasSystemd ?? false,
    run: async ({ argv }) => {
      ran.push(argv.join(' '))
      policies.push(existsSync(policyPath) ? readFileSync(policyPath, 'utf8') : undefined)
      return { status: given.status ?? 0, stdout: 'out', stderr: 'E: no network' }
    },
  }
}

test('nothing missing is complete, whoever asks', () => {
  expect(chooseInstall([], { families: [], isRoot: false })).toEqual({ kind: 'complete' })
})

test('root on Debian or Ubuntu may install, others are told the command', () => {
  expect(chooseInstall(missing, { families: ['ubuntu', 'debian'], isRoot: true })).toMatchObject({
    kind: 'can-install',
  })
  expect(chooseInstall(missing, { families: ['debian'], isRoot: false })).toMatchObject({
    kind: 'ask',
    command: `sudo ${apt}`,
  })
  expect(chooseInstall(missing, { families: ['fedora'], isRoot: true })).toMatchObject({
    kind: 'ask',
    command: expect.stringContaining('RABBITMQ_HOME'),
  })
})

test('services are kept from starting while packages are installed, and not longer', async () => {
  const tools = rehearsal()

  const outcome = await carryOutInstall(rootOnDebian, {}, tools)

  expect(outcome).toEqual({ kind: 'installed', packages: ['rabbitmq-server'] })
  expect(tools.ran).toEqual(['apt-get update', apt])
  expect(tools.policies).toEqual(['#!/bin/sh\nexit 101\n', '#!/bin/sh\nexit 101\n'])
  expect(existsSync(tools.policyPath)).toBe(false)
})

test('a policy that is there already is left alone', async () => {
  const tools = rehearsal()
  writeFileSync(tools.policyPath, 'mine')

  await carryOutInstall(rootOnDebian, {}, tools)

  expect(readFileSync(tools.policyPath, 'utf8')).toBe('mine')
})

test('with systemd the new service is kept from the next boot', async () => {
  const tools = rehearsal({ hasSystemd: true })

  await carryOutInstall(rootOnDebian, {}, tools)

  expect(tools.ran.at(-1)).toBe('systemctl disable rabbitmq-server')
})

test('a failed install shows the last words of the package manager and leaves no policy behind', async () => {
  const tools = rehearsal({ status: 100 })

  await expect(carryOutInstall(rootOnDebian, {}, tools)).rejects.toThrow('E: no network')

  expect(existsSync(tools.policyPath)).toBe(false)
})
