import { execFile, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, renameSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Lab, openLab, startLab } from '@ha/bootstrap'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listeningAddresses, marked, processState } from './kernel.ts'
import { endOurs, home, named, prepareHome } from './labs-home.ts'

const run = promisify(execFile)
const hactl = fileURLToPath(new URL('../dist/cli/hactl.js', import.meta.url))
const env = { ...process.env, HACTL_HOME: home, NO_COLOR: '1' }
const three = named('three')

beforeAll(prepareHome)
afterAll(endOurs)

const queues = {
  queues: [
    {
      name: 'orders',
      vhost: '/',
      durable: true,
      auto_delete: false,
      arguments: { 'x-queue-type': 'quorum' },
    },
    { name: 'ha.mail', vhost: 'shop', durable: true, auto_delete: false, arguments: {} },
  ],
}

describe('three nodes', () => {
  let lab: Lab
  let stranger: Stranger
  const heard: string[] = []

  beforeAll(async () => {
    stranger = await startStranger()
    lab = await startLab(
      { kind: 'rabbitmq', detectMs: 1000, vhosts: ['shop'] },
      { home, name: three, onEvent: (event) => heard.push(event.type) },
    )
  })
  afterAll(async () => {
    stranger.end()
  })

  test('come up in agreement, and every step was heard', async () => {
    const status = await lab.status()

    expect(status.agreed).toBe(true)
    expect(status.nodes.map((node) => node.view.kind)).toEqual(['answered', 'answered', 'answered'])
    expect(heard[0]).toBe('planned')
    expect(heard.at(-1)).toBe('formed')
  })

  test('listen on the loopback interface only', async () => {
    const addresses = lab.nodes.flatMap((node) => listeningAddresses(node.pid ?? 0))

    expect(addresses.length).toBeGreaterThanOrEqual(6)
    expect([...new Set(addresses)]).toEqual(['127.0.0.1'])
  })

  test('keep their cookie from others', () => {
    const { mode } = statSync(join(lab.folder, 'home/.erlang.cookie'))

    expect(mode & 0o777).toBe(0o400)
  })

  test('mirror what the policy catches, in each virtual host', async () => {
    const policies = await lab.ctl('rabbit2', ['list_policies', '-p', 'shop', '--formatter', 'json'])

    expect(JSON.parse(policies)).toMatchObject([{ name: 'ha-all', pattern: '^ha\\.' }])
  })

  test('know who leads a quorum queue and a mirrored one', async () => {
    const path = join(lab.folder, 'queues.json')
    writeFileSync(path, JSON.stringify(queues))
    await lab.ctl('rabbit1', ['import_definitions', path])

    await expect.poll(() => lab.leaderOf('orders')).toMatch(/^rabbit[123]$/)
    await expect.poll(() => lab.leaderOf('ha.mail', 'shop')).toMatch(/^rabbit[123]$/)
    expect(await lab.leaderOf('no-such-queue')).toBeUndefined()
  })

  test('a killed node comes back with its ports and joins again', async () => {
    const before = lab.nodes.find((node) => node.name === 'rabbit2')
    const fault = await lab.kill('rabbit2')

    await fault.heal()
    await lab.ready()

    const after = lab.nodes.find((node) => node.name === 'rabbit2')
    expect(after?.endpoint).toEqual(before?.endpoint)
    expect(after?.pid).not.toBe(before?.pid)
  })

  test('a stopped node comes back by itself when its time is over', async () => {
    await lab.stop('rabbit1', { forMs: 100 })

    await expect.poll(async () => (await lab.status()).agreed, { interval: 200 }).toBe(true)
    expect(lab.events().some((event) => event.type === 'fault-healed' && event.because === 'deadline')).toBe(
      true,
    )
  })

  test('a freeze heals itself although the program that began it was killed, and all agree again', async () => {
    const frozen = lab.nodes.find((node) => node.name === 'rabbit3')
    const client = spawn(process.execPath, [hactl, 'pause', 'rabbit3', '--for', '7s', '--name', three], {
      env,
    })
    await expect.poll(() => processState(frozen?.pid ?? 0), { interval: 20 }).toBe('T')
    client.kill('SIGKILL')

    await expect.poll(() => processState(frozen?.pid ?? 0), { interval: 50 }).not.toBe('T')
    await lab.ready({ timeoutMs: 60_000 })

    expect(lab.nodes.find((node) => node.name === 'rabbit3')?.pid).toBe(frozen?.pid)
  })

  test('a port that somebody took meanwhile is named, with its holder', async () => {
    const { endpoint } = lab.nodes.find((node) => node.name === 'rabbit2') ?? lab.nodes[0]!
    const fault = await lab.kill('rabbit2')
    const thief = createServer().listen(endpoint.port, '127.0.0.1')
    await new Promise((resolve) => thief.once('listening', resolve))

    const refusal = fault.heal()

    await expect(refusal).rejects.toMatchObject({ code: 'port-taken' })
    await expect(refusal).rejects.toThrow(
      new RegExp(`port ${endpoint.port} is in use; end .*pid ${process.pid}`),
    )
    await new Promise((resolve) => thief.close(resolve))
    await fault.heal()
    await lab.ready()
  })

  test('a cookie that others can read is refused before the server is', async () => {
    const cookie = join(lab.folder, 'home/.erlang.cookie')
    const fault = await lab.kill('rabbit3')
    chmodSync(cookie, 0o444)

    await expect(fault.heal()).rejects.toThrow(`${cookie} has mode 0444`)

    chmodSync(cookie, 0o400)
    await fault.heal()
    await lab.ready()
  })

  test('a fault that does not fit is refused, and a wrong name gets the right one', async () => {
    await using _ = await lab.pause('rabbit1', { forMs: 30_000 })

    await expect(lab.stop('rabbit1')).rejects.toMatchObject({ code: 'fault-refused' })
    await expect(lab.kill('rabit1')).rejects.toThrow("did you mean 'rabbit1'?")
  })

  test('a second lab starts beside the first, and its end leaves the first alone', async () => {
    const pids = lab.nodes.map((node) => node.pid)
    const second = await startLab({ kind: 'rabbitmq', nodes: 1 }, { home, name: named('single') })
    const itsPorts = second.nodes.map((node) => node.endpoint.port)

    await second.down()

    expect(lab.nodes.map((node) => node.endpoint.port)).not.toEqual(expect.arrayContaining(itsPorts))
    await lab.ready()
    expect(lab.nodes.map((node) => node.pid)).toEqual(pids)
  })

  test('a killed supervisor is replaced, and the new one heals what is overdue first', async () => {
    await lab.pause('rabbit2', { forMs: 1500 })
    process.kill(supervisorPid(lab), 'SIGKILL')
    await setTimeout(2000)
    const pid = lab.nodes.find((node) => node.name === 'rabbit2')?.pid ?? 0
    const stateBefore = processState(pid)

    await openLab(three, { home }).ready({ timeoutMs: 60_000 })

    expect(stateBefore).toBe('T')
    expect(processState(pid)).not.toBe('T')
  })

  test('a member that nobody looked after while it ran apart is joined by the next supervisor', async () => {
    const pids = lab.nodes.map((node) => node.pid)
    const repairs = repairsOf(lab).length
    await partAway(lab, 'rabbit3')
    process.kill(supervisorPid(lab), 'SIGKILL')
    await expect.poll(() => processState(supervisorPid(lab))).toBe(undefined)

    await openLab(three, { home }).ready({ timeoutMs: 60_000 })

    // The broker agrees a moment before the command that restarted it has ended.
    await expect.poll(() => repairsOf(lab).slice(repairs)).toEqual(['rabbit3'])
    expect(lab.nodes.map((node) => node.pid)).toEqual(pids)
  })

  test('who resumes a node that runs joins whichever member is apart', async () => {
    const repairs = repairsOf(lab).length
    await partAway(lab, 'rabbit2')

    await lab.resume('rabbit1')
    await lab.ready({ timeoutMs: 60_000 })

    // The broker agrees a moment before the command that restarted it has ended.
    await expect.poll(() => repairsOf(lab).slice(repairs)).toEqual(['rabbit2'])
  })

  test('a supervisor that cannot write its journal leaves, and the next one heals what is overdue', async () => {
    const journal = join(lab.folder, 'events.jsonl')
    const supervisor = supervisorPid(lab)
    await lab.pause('rabbit2', { forMs: 1000 })
    renameSync(journal, `${journal}.aside`)
    mkdirSync(journal)

    await expect.poll(() => processState(supervisor)).toBe(undefined)
    rmdirSync(journal)
    renameSync(`${journal}.aside`, journal)
    await openLab(three, { home }).ready({ timeoutMs: 60_000 })

    expect(supervisorPid(lab)).not.toBe(supervisor)
    expect((await lab.status()).agreed).toBe(true)
  })

  test('Ctrl-C ends a wait for a supervisor that hangs, and says what is true', async () => {
    const supervisor = supervisorPid(lab)
    process.kill(supervisor, 'SIGSTOP')
    try {
      const asking = run(process.execPath, [hactl, 'status', '--name', three], { env })
      await setTimeout(3000)

      asking.child.kill('SIGINT')

      await expect(asking).rejects.toMatchObject({
        code: 130,
        stderr: 'hactl: interrupted; nothing was changed\n',
      })
    } finally {
      process.kill(supervisor, 'SIGCONT')
    }
  })

  test('after a killed supervisor, down leaves nothing of the lab and touches no stranger', async () => {
    await lab.pause('rabbit1', { forMs: 60_000 })
    const pids = lab.nodes.map((node) => node.pid ?? 0)
    process.kill(supervisorPid(lab), 'SIGKILL')

    const { stdout } = await run(process.execPath, [hactl, 'down', '--name', three, '--json'], { env })

    expect(JSON.parse(stdout)).toEqual({ ended: [three], failed: [] })
    expect(pids.map(processState)).toEqual([undefined, undefined, undefined])
    expect(marked(lab.folder)).toEqual([])
    expect(stranger.pids.map(processState)).not.toContain(undefined)
  })
})

describe('what a crash left in the place of a lab', () => {
  test('is replaced by the next lab of that name', async () => {
    const name = named('crashed')
    mkdirSync(join(home, 'labs', name), { recursive: true })
    writeFileSync(join(home, 'labs', name, 'plan.json'), '{"schema":')

    const lab = await startLab({ kind: 'rabbitmq', nodes: 1 }, { home, name })

    expect((await lab.status()).agreed).toBe(true)
    await lab.down()
  })

  test('is shown by status, and ended by down', async () => {
    const name = named('crashed')
    const folder = join(home, 'labs', name)
    mkdirSync(folder, { recursive: true })

    await expect(run(process.execPath, [hactl, 'status'], { env })).rejects.toMatchObject({
      stdout: expect.stringContaining(`run: hactl down --name ${name}`),
    })
    await run(process.execPath, [hactl, 'down', '--name', name], { env })

    expect(existsSync(folder)).toBe(false)
  })
})

describe('a lab that does not come up', () => {
  test('because it was interrupted leaves nothing', async () => {
    const interrupt = new AbortController()
    const folder = join(home, 'labs', named('interrupted'))

    const starting = startLab(
      { kind: 'rabbitmq', nodes: 1 },
      {
        home,
        name: named('interrupted'),
        signal: interrupt.signal,
        onEvent: (event) => {
          if (event.type === 'process-started' && event.process === 'rabbit1')
            interrupt.abort(new Error('enough'))
        },
      },
    )

    await expect(starting).rejects.toThrow('enough')
    expect(marked(folder)).toEqual([])
    expect(existsSync(folder)).toBe(false)
  })

  test('because its port is taken says so, and its name is free again', async () => {
    const thief = createServer().listen(20_900, '127.0.0.1')
    await new Promise((resolve) => thief.once('listening', resolve))
    const topology = { kind: 'rabbitmq', nodes: 1, basePort: 20_899 } as const

    await expect(startLab(topology, { home, name: named('unlucky') })).rejects.toMatchObject({
      code: 'port-taken',
    })

    await new Promise((resolve) => thief.close(resolve))
    const lab = await startLab(topology, { home, name: named('unlucky') })
    expect(lab.nodes.map((node) => node.endpoint.port)).toEqual([20_900])
    await lab.down()
  })

  test('because its supervisor was killed in the middle is ended by down, to the last process', async () => {
    const folder = join(home, 'labs', named('orphaned'))
    const starting = startLab(
      { kind: 'rabbitmq', nodes: 1 },
      {
        home,
        name: named('orphaned'),
        onEvent: (event) => {
          if (event.type === 'process-started' && event.process === 'rabbit1') {
            process.kill(supervisorPid(openLab(named('orphaned'), { home })), 'SIGKILL')
          }
        },
      },
    )

    await expect(starting).rejects.toMatchObject({ code: 'supervisor-lost' })

    expect(marked(folder)).toEqual([])
    expect(existsSync(folder)).toBe(false)
  })
})

interface Stranger {
  readonly pids: readonly number[]
  end(): void
}

// An epmd and an Erlang node that are none of ours, as a packaged RabbitMQ would run them.
async function startStranger(): Promise<Stranger> {
  const strangerEnv = { ...process.env, HOME: home, ERL_EPMD_PORT: '20999', ERL_EPMD_ADDRESS: '127.0.0.1' }
  const epmd = spawn('epmd', ['-port', '20999', '-address', '127.0.0.1'], { env: strangerEnv })
  await setTimeout(300)
  const node = spawn('erl', ['-noinput', '-sname', 'rabbit1@localhost', '-setcookie', 'stranger'], {
    env: strangerEnv,
  })
  const pids = [epmd.pid ?? 0, node.pid ?? 0]
  return {
    pids,
    end() {
      node.kill('SIGKILL')
      epmd.kill('SIGKILL')
    },
  }
}

function supervisorPid(lab: Lab): number {
  const event = lab.events().findLast((candidate) => candidate.type === 'supervised')
  return event?.type === 'supervised' ? event.pid : 0
}

function repairsOf(lab: Lab): readonly string[] {
  return lab.events().flatMap((event) => (event.type === 'member-repaired' ? [event.node] : []))
}

// What a member knows after a partition, put into the memory of its monitor: a real one cannot be had at will.
async function partAway(lab: Lab, node: string): Promise<void> {
  const others = lab.nodes.filter(({ name }) => name !== node).map(({ name }) => `${name}@localhost`)
  const code = `sys:replace_state(rabbit_node_monitor, fun(S) -> setelement(3, S, [${others.join(', ')}]) end).`
  await lab.ctl(node, ['eval', code])
}
