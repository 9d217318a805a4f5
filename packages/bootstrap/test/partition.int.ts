import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { doctor } from '@ha/bootstrap'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const run = promisify(execFile)
const pathTo = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const hactl = pathTo('../dist/cli/hactl.js')
const drill = pathTo('sandbox/partition-drill.mjs')

const finding = (await doctor({ kinds: [] })).find(({ about }) => about === 'sandbox')
const canPartition = finding?.level === 'ok'

describe.skipIf(!canPartition)(canPartition ? 'in a sandbox' : `skipped, ${finding?.says}`, () => {
  const home = mkdtempSync(join(tmpdir(), 'hactl-sandbox-'))
  const env = { ...process.env, HACTL_HOME: home }
  const sandbox = (...command: readonly string[]) =>
    run(process.execPath, [hactl, 'sandbox', '--', ...command], { env })
  let seen: Record<string, unknown>

  beforeAll(async () => {
    const { stdout } = await sandbox(process.execPath, drill)
    seen = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
  })
  afterAll(() => {
    rmSync(home, { recursive: true })
  })

  test('every node has an address of its own', () => {
    const hosts = String(seen['url'])
      .split(',')
      .map((endpoint) => endpoint.split(':')[0])

    expect(new Set(hosts).size).toBe(3)
    for (const host of hosts) expect(host).toMatch(/^10\.77\./)
  })

  test('when the leader is cut from its peers they elect another, and it knows that it has no majority', () => {
    const [old, now] = seen['leaders'] as readonly string[]

    expect(now).toMatch(/^zk[123]$/)
    expect(now).not.toBe(old)
    expect(seen['cutLeader']).toEqual({ kind: 'starting', because: 'it has no leader' })
  })

  test('one that is cut from its clients agrees with its peers, and to clients it is silent', () => {
    expect(seen['withoutClients']).toEqual({ agreed: true, reached: 'silence' })
  })

  test('a partition ends by itself when its time is over', () => {
    expect(seen['healed']).toEqual({ agreed: true, reached: true })
  })

  test('a node that is cut off is not killed, too; a restart heals it first', () => {
    expect(seen['refusedKill']).toContain('it is already cut off')
  })

  test('the end of the command is the end of everything in the sandbox', () => {
    const running = readdirSync('/proc').filter(
      (pid) => /^\d+$/.test(pid) && environmentOf(pid).includes(`${home}/sandboxes/`),
    )

    expect(running).toEqual([])
    expect(readdirSync(join(home, 'sandboxes'))).toEqual([])
  })

  test('the exit status of the command is that of hactl', async () => {
    await expect(sandbox('sh', '-c', 'exit 7')).rejects.toMatchObject({ code: 7 })
  })
})

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    // Ended since it was listed.
    return ''
  }
}
