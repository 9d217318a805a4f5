import { existsSync } from 'node:fs'
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

test('the end leaves nothing, and the server of somebody else never noticed', async () => {
  await lab.down()

  expect(marked(lab.folder)).toEqual([])
  expect(existsSync(lab.folder)).toBe(false)
  expect(await stranger.ask()).toBe('imok')
})
