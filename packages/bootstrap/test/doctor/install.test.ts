import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  combineOutcomes,
  denyServiceStarts,
  type InstallDeps,
  installMark,
  installWith,
} from '../../src/doctor/install.ts'
import { chooseInstall, missingServers, serversOf } from '../../src/doctor/server-packages.ts'
import type { RabbitSearch } from '../../src/machine/installations.ts'
import type { CommandLimit } from '../../src/machine/run-command.ts'
import { deployment } from '../rabbitmq/deployment.ts'

const root = { families: ['debian'], isRoot: true }
const nothing: RabbitSearch = { kind: 'missing', programs: ['rabbitmq-server', 'erl'], home: undefined }
const noErlang: RabbitSearch = { kind: 'missing', programs: ['erl'], home: '/usr/lib/rabbitmq/lib/x' }
const found: RabbitSearch = { kind: 'found', installation: deployment.installation }
const apt = 'apt-get install -y --no-install-recommends rabbitmq-server'
let folder: string
let policyPath: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hactl-install-'))
  policyPath = join(folder, 'policy-rc.d')
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

interface Given {
  readonly status?: number
  readonly hasSystemd?: boolean
  readonly before?: RabbitSearch
  readonly after?: RabbitSearch
  readonly unitsBefore?: readonly string[]
  readonly unitsAfter?: readonly string[]
  readonly onRun?: (command: string) => void
}

interface Rehearsal extends InstallDeps {
  readonly ran: readonly string[]
  readonly limits: readonly CommandLimit[]
  readonly hadPolicy: readonly boolean[]
  readonly marks: readonly (string | undefined)[]
}

const rehearsal = (given: Given = {}): Rehearsal => {
  const ran: string[] = []
  const limits: CommandLimit[] = []
  const hadPolicy: boolean[] = []
  const marks: (string | undefined)[] = []
  const isInstalled = (): boolean => ran.includes(apt)
  return {
    ran,
    limits,
    hadPolicy,
    marks,
    policyPath,
    host: root,
    servers: serversOf.rabbitmq,
    hasSystemd: given.hasSystemd ?? false,
    search: () => (isInstalled() ? (given.after ?? found) : (given.before ?? nothing)),
    hasUnit: (unit) => ((isInstalled() ? given.unitsAfter : given.unitsBefore) ?? []).includes(unit),
    run: async ({ argv, env }, limit) => {
      ran.push(argv.join(' '))
      limits.push(limit)
      hadPolicy.push(existsSync(policyPath))
      marks.push(env[installMark])
      given.onRun?.(argv.join(' '))
      return { status: given.status ?? 0, stdout: 'out', stderr: 'E: no network' }
    },
  }
}

test('nothing missing is complete, whoever asks', async () => {
  expect(chooseInstall(serversOf.rabbitmq, found, { families: [], isRoot: false })).toEqual({
    kind: 'complete',
  })
  expect(await installWith({}, rehearsal({ before: found }))).toEqual({ kind: 'complete' })
})

test('root on Debian or Ubuntu may install, others are told the command', () => {
  expect(
    chooseInstall(serversOf.rabbitmq, nothing, { families: ['ubuntu', 'debian'], isRoot: true }),
  ).toMatchObject({
    kind: 'can-install',
  })
  expect(chooseInstall(serversOf.rabbitmq, nothing, { families: ['debian'], isRoot: false })).toMatchObject({
    kind: 'ask',
    command: `sudo ${apt}`,
  })
  expect(chooseInstall(serversOf.rabbitmq, nothing, { families: ['fedora'], isRoot: true })).toMatchObject({
    kind: 'ask',
    command: expect.stringContaining('RABBITMQ_HOME'),
  })
})

test('a RabbitMQ that lacks a program is never installed over; what it lacks is named', async () => {
  const tools = rehearsal({ before: noErlang })

  expect(await installWith({}, tools)).toMatchObject({
    kind: 'ask',
    command: expect.stringContaining('the folder of erl'),
  })
  expect(tools.ran).toEqual([])
  expect(
    missingServers(serversOf.rabbitmq, noErlang as Extract<RabbitSearch, { kind: 'missing' }>, root).message,
  ).toContain('not found on this machine: erl')
})

test('services are kept from starting while packages are installed, and not longer', async () => {
  const tools = rehearsal()

  const outcome = await installWith({}, tools)

  expect(outcome).toEqual({ kind: 'installed', packages: ['rabbitmq-server'] })
  expect(tools.ran).toEqual(['apt-get update', apt])
  expect(tools.hadPolicy).toEqual([true, true])
  expect(existsSync(policyPath)).toBe(false)
})

test('what is still missing after the installation is said', async () => {
  expect(await installWith({}, rehearsal({ after: noErlang }))).toMatchObject({ kind: 'ask' })
  await expect(installWith({}, rehearsal({ after: nothing }))).rejects.toThrow(
    'was installed, but these programs are still missing: rabbitmq-server, erl',
  )
})

test('the policy says no to our own installation and to nobody else', () => {
  denyServiceStarts(policyPath)

  expect(spawnSync(policyPath, ['x', 'start'], { env: {} }).status).toBe(0)
  expect(spawnSync(policyPath, ['x', 'start'], { env: { [installMark]: '1' } }).status).toBe(101)
})

test('the package manager carries the mark that the policy asks for', async () => {
  const tools = rehearsal()

  await installWith({}, tools)

  expect(tools.marks).toEqual(['1', '1'])
})

test('a policy of the administrator’s is left alone', async () => {
  writeFileSync(policyPath, 'mine')

  await installWith({}, rehearsal())

  expect(readFileSync(policyPath, 'utf8')).toBe('mine')
})

test('a policy of ours that a killed process left is taken away by the next', async () => {
  denyServiceStarts(policyPath)

  await installWith({}, rehearsal())

  expect(existsSync(policyPath)).toBe(false)
})

test('with systemd the services that came with the packages are kept from running, others are not touched', async () => {
  const unitsBefore = ['epmd.service']
  const unitsAfter = ['rabbitmq-server.service', 'epmd.socket', 'epmd.service']
  const tools = rehearsal({ hasSystemd: true, unitsBefore, unitsAfter })

  await installWith({}, tools)

  expect(tools.ran.at(-1)).toBe('systemctl disable --now rabbitmq-server.service epmd.socket')
})

test('a failed install shows the last words of the package manager and leaves no policy behind', async () => {
  await expect(installWith({}, rehearsal({ status: 100 }))).rejects.toThrow('E: no network')

  expect(existsSync(policyPath)).toBe(false)
})

test('the package manager is asked to end, never killed', async () => {
  const tools = rehearsal()

  await installWith({}, tools)

  expect(tools.limits.map(({ endWith }) => endWith)).toEqual(['SIGINT', 'SIGINT'])
})

test('an interrupt is told, and takes the services along that came before it', async () => {
  const interrupt = new AbortController()
  const said: string[] = []
  const tools = rehearsal({
    hasSystemd: true,
    unitsAfter: ['rabbitmq-server.service'],
    status: 1,
    onRun: (command) => {
      if (command === 'apt-get update') return
      interrupt.abort(new Error('enough'))
    },
  })
  const patient: InstallDeps = {
    ...tools,
    run: async (command, limit) => ({
      ...(await tools.run(command, limit)),
      status: command.argv[1] === 'install' ? 1 : 0,
    }),
  }
  const onProgress = (text: string): void => void said.push(text)

  await expect(installWith({ signal: interrupt.signal, onProgress }, patient)).rejects.toThrow('enough')

  expect(tools.ran.at(-1)).toBe('systemctl disable --now rabbitmq-server.service')
  expect(said.at(-1)).toContain('it finishes the present package first')
  expect(existsSync(policyPath)).toBe(false)
})

test('several installations come to what somebody has to type, else to what was installed', () => {
  const ask = { kind: 'ask', packages: ['b'], command: 'get b' } as const
  const installed = { kind: 'installed', packages: ['a'] } as const

  expect(combineOutcomes([{ kind: 'complete' }])).toEqual({ kind: 'complete' })
  expect(combineOutcomes([installed, { kind: 'complete' }])).toEqual(installed)
  expect(combineOutcomes([installed, ask, ask])).toEqual({
    kind: 'ask',
    packages: ['b', 'b'],
    command: 'get b && get b',
  })
})

test('a MariaDB that lacks rsync is told the package of that alone', () => {
  const search = { kind: 'missing', programs: ['rsync'], home: '/usr/sbin/mariadbd' } as const

  expect(chooseInstall(serversOf.galera, search, root)).toMatchObject({
    kind: 'ask',
    packages: ['rsync'],
    command: expect.stringContaining('sudo apt-get install -y --no-install-recommends rsync'),
  })
})
