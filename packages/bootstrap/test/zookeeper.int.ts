import { execFile } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Lab, startLab } from '@ha/bootstrap'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listeningAddresses, marked, processState } from './kernel.ts'
import { endOurs, home, named, prepareHome } from './labs-home.ts'
import { type StrangerZookeeper, startStrangerZookeeper } from './zookeeper/foreign-zookeeper.ts'

let lab: Lab
let stranger: StrangerZookeeper

beforeAll(async () => {
  await prepareHome()
  lab = await startLab({ kind: 'zookeeper', detectMs: 1000 }, { home, name: named('zookeeper') })
  stranger = await startStrangerZookeeper(lab)
})
afterAll(async () => {
  await endOurs()
  await stranger.end()
})

const roles = async (): Promise<readonly (string | undefined)[]> =>
  (await lab.status()).nodes.map(({ view }) => (view.kind === 'silent' ? undefined : view.role))
const leader = async (): Promise<string> => (await lab.leader()) ?? ''
const nodeOf = (name: string) => lab.nodes.find((node) => node.name === name)
const isHealedByDeadline = (node: string): boolean =>
  lab
    .events()
    .some((event) => event.type === 'fault-healed' && event.node === node && event.because === 'deadline')

test('three servers agree: one leads, the others follow', async () => {
  const status = await lab.status()

  expect(status.agreed).toBe(true)
  expect([...(await roles())].sort()).toEqual(['follower', 'follower', 'leader'])
  expect(lab.url).toBe(lab.nodes.map(({ endpoint }) => `${endpoint.host}:${endpoint.port}`).join(','))
})

test('they listen on the loopback interface only', () => {
  const addresses = lab.nodes.flatMap((node) => listeningAddresses(node.pid ?? 0))

  expect(addresses.length).toBeGreaterThanOrEqual(7)
  expect([...new Set(addresses)]).toEqual(['127.0.0.1'])
})

test('a four-letter word is answered', async () => {
  expect(await lab.ctl(await leader(), ['srvr'])).toContain('Mode: leader')
  expect(await lab.ctl('zk1', ['conf'])).toContain('maxSessionTimeout=60000')
})

test('a frozen leader is replaced; when its time is over it wakes and follows', async () => {
  const old = await leader()
  await lab.pause(old, { forMs: 6_000 })

  await expect.poll(() => processState(nodeOf(old)?.pid ?? 0)).toBe('T')
  await expect.poll(leader).toMatch(/^zk/)
  expect(await leader()).not.toBe(old)
  await expect.poll(() => isHealedByDeadline(old)).toBe(true)
  await lab.ready()
})

test('a killed server comes back with its port, and follows', async () => {
  const before = nodeOf('zk3')
  const fault = await lab.kill('zk3')

  await fault.heal()
  await lab.ready()

  expect(nodeOf('zk3')?.endpoint).toEqual(before?.endpoint)
  expect(nodeOf('zk3')?.pid).not.toBe(before?.pid)
})

test('a stopped server restarts, and after a full stop all come back by themselves', async () => {
  await lab.restart('zk1')
  await lab.ready()
  await Promise.all(lab.nodes.map(({ name }) => lab.stop(name)))
  await Promise.all(lab.nodes.map(({ name }) => lab.resume(name)))
  await lab.ready()

  expect([...(await roles())].sort()).toEqual(['follower', 'follower', 'leader'])
})

test('what a server cannot be told, and what needs a sandbox, is refused', async () => {
  await expect(lab.isolate('zk1')).rejects.toThrow('support the faults kill, stop, pause')
  await expect(lab.partition('zk1')).rejects.toMatchObject({
    code: 'fault-refused',
    message: expect.stringContaining('run: hactl sandbox -- bash'),
  })
})

test.each(['status', 'status --json', 'env', 'logs zk1', 'logs zk1 --follow'])(
  '%s ends in silence when its reader leaves',
  async (verb) => {
    const hactl = fileURLToPath(new URL('../dist/cli/hactl.js', import.meta.url))
    const script = `"${process.execPath}" "${hactl}" ${verb} --name ${lab.name} | true; exit "\${PIPESTATUS[0]}"`
    const env = { ...process.env, HACTL_HOME: home }

    expect(await promisify(execFile)('bash', ['-c', script], { env, timeout: 10_000 })).toMatchObject({
      stderr: '',
    })
  },
)

test('a supervisor whose socket was removed listens again', async () => {
  rmSync(join(lab.folder, 'control.sock'))

  expect((await lab.status()).agreed).toBe(true)
})

test('a lab of which everything was killed comes back with its data, and as no other lab', async () => {
  const epoch = (): number =>
    Number(readFileSync(join(lab.folder, 'nodes/zk1/data/version-2/currentEpoch'), 'utf8'))
  const before = epoch()
  const supervisor = lab.events().findLast((event) => event.type === 'supervised')
  for (const pid of [supervisor?.pid ?? 0, ...marked(lab.folder).map(Number)]) process.kill(pid, 'SIGKILL')
  await expect.poll(() => marked(lab.folder)).toEqual([])

  await expect(startLab({ kind: 'zookeeper', nodes: 5 }, { home, name: lab.name })).rejects.toThrow(
    'is down and has the nodes zk1, zk2, zk3',
  )
  const again = await startLab({ kind: 'zookeeper' }, { home, name: lab.name })

  expect((await again.status()).agreed).toBe(true)
  expect(epoch()).toBeGreaterThan(before)
})

test('a lab of which one server was killed comes back with the next start', async () => {
  process.kill(lab.nodes[0]?.pid ?? 0, 'SIGKILL')
  await expect.poll(() => lab.nodes[0]?.pid).toBe(null)

  const again = await startLab({ kind: 'zookeeper' }, { home, name: lab.name })

  expect((await again.status()).agreed).toBe(true)
})

test('a server that is killed right after it has agreed is not ready', async () => {
  let pid = 0
  const start = startLab(
    { kind: 'zookeeper', nodes: 1 },
    {
      home,
      name: named('killed'),
      onEvent: (event) => {
        if (event.type === 'process-started') pid = event.id.pid
        if (event.type === 'agreed') process.kill(pid, 'SIGKILL')
      },
    },
  )

  await expect(start).rejects.toMatchObject({
    code: 'not-agreed',
    message: expect.stringContaining('zk1 does not agree with the others'),
  })
})

test('the end leaves nothing, and the server of somebody else never noticed', async () => {
  await lab.down()

  expect(marked(lab.folder)).toEqual([])
  expect(existsSync(lab.folder)).toBe(false)
  expect(await stranger.ask()).toBe('imok')
})
